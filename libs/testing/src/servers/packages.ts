import { spawn } from 'node:child_process';
import { existsSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { setTimeout as delay } from 'node:timers/promises';
import { findProgram } from './private-server';
import { ServerError } from './server';

/** Programs that Weir runs, by the name of the Debian package that has them. */
const programOf = {
  'rabbitmq-server': 'rabbitmq-server',
  'redis-server': 'redis-server',
  influxdb: 'influxd',
  'docker-registry': 'docker-registry',
  skopeo: 'skopeo',
  buildah: 'buildah',
  openssl: 'openssl',
  curl: 'curl',
  podman: 'podman',
  'docker.io': 'dockerd',
  containerd: 'containerd',
  // Its promtool, which checks the alert rules.
  prometheus: 'promtool',
  // Looks at the page of stats.
  chromium: 'chromium',
  // Load and a peer of the benchmark.
  wrk: 'wrk',
  'nginx-light': 'nginx',
} as const;

export type DebianPackage = keyof typeof programOf;

export interface InstallOptions {
  /** Asks a person who sits at a terminal; true at once where there is none, or where `--yes` was given. */
  ask(question: string): Promise<boolean>;
  /** Told what goes on, one short text at a time. */
  progress(text: string): void;
}

/** The parts of the machine that installing touches; another one in tests. */
export interface PackageSystem {
  /** Its path, or undefined where there is none. */
  aptGet: string | undefined;
  /** Asked by Debian whether a service may be started; see invoke-rc.d(8). */
  policyFile: string;
  isDebian: boolean;
  isRoot: boolean;
}

function thisMachine(): PackageSystem {
  const release = existsSync('/etc/os-release') ? readFileSync('/etc/os-release', 'utf8') : '';
  return {
    aptGet: findProgram('apt-get'),
    policyFile: '/usr/sbin/policy-rc.d',
    isDebian: /^ID(_LIKE)?="?.*\b(debian|ubuntu)\b/m.test(release),
    isRoot: process.getuid?.() === 0,
  };
}

/** Which of the packages have their program nowhere on this machine. */
export function missingPackages(packages: readonly DebianPackage[]): DebianPackage[] {
  return packages.filter((name) => findProgram(programOf[name]) === undefined);
}

/** Why packages cannot be installed here, or undefined where they can. */
export function cannotInstall(system = thisMachine()): string | undefined {
  if (system.aptGet === undefined || !system.isDebian) return 'this is neither Debian nor Ubuntu';
  if (!system.isRoot) return 'only root may install packages';
  return undefined;
}

/**
 * Installs those of the packages that are missing, with one `apt-get update` and one `apt-get install`. No service of
 * the distribution is started by it, and none that runs is touched: packages that are there stay as they are.
 * @throws ServerError with the command to run by hand where that is not possible or was declined.
 */
export async function installPackages(
  packages: readonly DebianPackage[],
  options: InstallOptions,
  system = thisMachine(),
): Promise<void> {
  const missing = missingPackages(packages);
  if (missing.length === 0) return;
  const byHand = `apt-get install --no-install-recommends ${missing.join(' ')}`;
  const obstacle = cannotInstall(system);
  if (obstacle !== undefined) {
    throw new ServerError(`Not installed: ${missing.join(', ')}; ${obstacle}. On Debian or Ubuntu, as root: ${byHand}`);
  }
  if (!(await options.ask(`Install ${missing.join(', ')} with apt-get?`))) {
    throw new ServerError(`Not installed: ${missing.join(', ')}. To install by hand: ${byHand}`);
  }
  const aptGet: AptGet = (args) => runAptGet(system.aptGet ?? 'apt-get', args, options.progress);
  await withoutStartingServices(system.policyFile, async () => {
    const stillMissing = missingPackages(packages);
    if (stillMissing.length > 0) await install(stillMissing, aptGet, options.progress);
  });
}

interface AptResult {
  code: number;
  output: string;
}

type AptGet = (args: readonly string[]) => Promise<AptResult>;

async function install(packages: readonly string[], aptGet: AptGet, progress: (text: string) => void): Promise<void> {
  progress('apt-get update');
  const updated = await aptGet(['update']);
  progress(`apt-get install ${packages.join(' ')}`);
  const installed = await aptGet(['install', '--yes', '--no-install-recommends', ...packages]);
  if (installed.code === 0) return;
  // A source of packages that cannot be reached is no harm unless the packages were to come from there.
  const said = `${updated.code === 0 ? '' : updated.output}${installed.output}`;
  throw new ServerError(`apt-get install failed:\n${said.trimEnd().split('\n').slice(-15).join('\n')}`);
}

/** Runs apt-get; while another program holds apt's or dpkg's lock, waits for it (ten minutes at most). */
async function runAptGet(
  program: string,
  args: readonly string[],
  progress: (text: string) => void,
): Promise<AptResult> {
  const deadline = Date.now() + 600_000;
  for (;;) {
    const result = await runOnce(program, args, progress);
    const locked = /Could not get lock|Unable to (acquire|lock)/.test(result.output);
    if (result.code === 0 || !locked || Date.now() > deadline) return result;
    progress('waiting for another program that installs packages');
    await delay(1_000);
  }
}

function runOnce(program: string, args: readonly string[], progress: (text: string) => void): Promise<AptResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(program, ['-o', 'DPkg::Lock::Timeout=600', '-o', 'Dpkg::Use-Pty=0', ...args], {
      // needrestart, where it is installed, would restart services that use an upgraded library.
      env: { ...process.env, DEBIAN_FRONTEND: 'noninteractive', NEEDRESTART_SUSPEND: '1', LC_ALL: 'C' },
      stdio: ['ignore', 'pipe', 'pipe'],
    });
    let output = '';
    const read = (chunk: string) => {
      output = (output + chunk).slice(-20_000);
      const step = /^(?:Unpacking|Setting up) (\S+)/m.exec(chunk);
      if (step) progress(step[0]);
    };
    child.stdout.setEncoding('utf8').on('data', read);
    child.stderr.setEncoding('utf8').on('data', read);
    child.once('error', reject);
    child.once('close', (code) => resolve({ code: code ?? 1, output }));
  });
}

const ours = '# Put here by Weir while it installs packages; process ';

/**
 * Debian starts a service as soon as its package is installed, unless policy-rc.d says no (exit code 101). One that is
 * there already is the administrator's and stays; one of ours that a killed run has left behind is taken over.
 */
async function withoutStartingServices(policyFile: string, work: () => Promise<void>): Promise<void> {
  await otherInstallerIsDone(policyFile);
  if (existsSync(policyFile) && installerOf(policyFile) === undefined) return work();
  writeFileSync(policyFile, `#!/bin/sh\n${ours}${process.pid}\nexit 101\n`, { mode: 0o755 });
  // Ctrl-C reaches apt-get as well; staying until it has ended lets the policy be removed.
  const stay = () => {};
  process.on('SIGINT', stay);
  try {
    await work();
  } finally {
    process.off('SIGINT', stay);
    rmSync(policyFile, { force: true });
  }
}

/** Two of ours at once (`npm start` and `npm test` of two clones) take turns, for the first to end removes the policy. */
async function otherInstallerIsDone(policyFile: string): Promise<void> {
  const deadline = Date.now() + 600_000;
  while (Date.now() < deadline) {
    const pid = installerOf(policyFile);
    if (pid === undefined || pid === process.pid || !existsSync(`/proc/${pid}`)) return;
    await delay(500);
  }
}

function installerOf(file: string): number | undefined {
  if (!existsSync(file)) return undefined;
  const text = readFileSync(file, 'utf8');
  const at = text.indexOf(ours);
  return at < 0 ? undefined : Number.parseInt(text.slice(at + ours.length), 10);
}
