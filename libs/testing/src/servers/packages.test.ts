import { existsSync } from 'node:fs';
import { chmod, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { installPackages } from './packages';
import type { PackageSystem } from './packages';
import { temporaryDirectory } from './temporary';

describe('installing packages', () => {
  const path = process.env['PATH'];
  let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
  let system: PackageSystem;
  let told: string[];
  const progress = (text: string) => told.push(text);
  const yes = { progress, ask: async () => true };

  beforeEach(async () => {
    dir = await temporaryDirectory();
    told = [];
    system = {
      aptGet: join(dir.path, 'apt-get'),
      policyFile: join(dir.path, 'policy-rc.d'),
      isDebian: true,
      isRoot: true,
    };
    process.env['PATH'] = dir.path; // where no program is yet
  });
  afterEach(async () => {
    process.env['PATH'] = path;
    await dir.remove();
  });

  it('asks once for all that is missing, and starts no service of theirs', async () => {
    await pretendAptGet();
    await installPackages(['redis-server', 'skopeo'], yes, system);
    const [update, install, ...more] = await calls();
    expect(update).toMatch(/ update policy:exit 101$/);
    expect(install).toMatch(/ install --yes --no-install-recommends redis-server skopeo policy:exit 101$/);
    expect(more).toEqual([]);
    expect(existsSync(system.policyFile)).toBe(false);
    expect(told).toContain('Setting up redis-server');
  });

  it("leaves the administrator's policy as it is", async () => {
    await pretendAptGet();
    await writeFile(system.policyFile, '#!/bin/sh\nexit 0\n');
    await installPackages(['skopeo'], yes, system);
    expect(await readFile(system.policyFile, 'utf8')).toBe('#!/bin/sh\nexit 0\n');
  });

  it('takes over the policy that a killed run has left, and removes it', async () => {
    await pretendAptGet();
    await writeFile(
      system.policyFile,
      '#!/bin/sh\n# Put here by Weir while it installs packages; process 4194305\nexit 101\n',
    );
    await installPackages(['skopeo'], yes, system);
    expect(existsSync(system.policyFile)).toBe(false);
  });

  it('waits while another program holds the lock', async () => {
    await pretendAptGet('[ "$(wc -l < "$home/calls")" = 2 ] && { echo "E: Could not get lock" >&2; exit 100; }');
    await installPackages(['skopeo'], yes, system);
    expect(told).toContain('waiting for another program that installs packages');
    expect(await calls()).toHaveLength(3);
  });

  it('says what apt-get said when it fails, and cleans up', async () => {
    await pretendAptGet('[ "$what" = install ] && { echo "E: Unable to locate package skopeo" >&2; exit 100; }');
    await expect(installPackages(['skopeo'], yes, system)).rejects.toThrow(/Unable to locate package skopeo/);
    expect(existsSync(system.policyFile)).toBe(false);
  });

  it('does nothing when asked not to, and says how to do it by hand', async () => {
    await pretendAptGet();
    const no = { progress, ask: async () => false };
    await expect(installPackages(['skopeo'], no, system)).rejects.toThrow(/by hand: apt-get install .*skopeo/);
    expect(existsSync(join(dir.path, 'calls'))).toBe(false);
  });

  it('says why it cannot where it cannot', async () => {
    const asUser = { ...system, isRoot: false };
    await expect(installPackages(['skopeo'], yes, asUser)).rejects.toThrow(/only root may install/);
    const elsewhere = { ...system, isDebian: false };
    await expect(installPackages(['skopeo'], yes, elsewhere)).rejects.toThrow(/neither Debian nor Ubuntu/);
  });

  /** An `apt-get` that notes its calls and what the policy says meanwhile. */
  async function pretendAptGet(more = '') {
    const script = `#!/bin/bash
PATH=/usr/bin:/bin
home="${dir.path}"; what=install; [ "\${!#}" = update ] && what=update
echo "$* policy:$(tail -n 1 "$home/policy-rc.d")" >> "$home/calls"
${more}
[ "$what" = install ] && echo "Setting up redis-server (7.0) ..."
exit 0
`;
    await writeFile(join(dir.path, 'apt-get'), script);
    await chmod(join(dir.path, 'apt-get'), 0o755);
  }

  const calls = async () => (await readFile(join(dir.path, 'calls'), 'utf8')).trim().split('\n');
});
