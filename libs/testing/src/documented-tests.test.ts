import { existsSync, readFileSync } from 'node:fs';
import { dirname, join } from 'node:path';

// What the documentation says a test shows is shown by a test that is there.

const root = join(__dirname, '../../..');
const text = (file: string) => readFileSync(join(root, file), 'utf8');

/** Whether it is a file of tests that asserts something, itself or by the suite that every worker must pass. */
function asserts(file: string): boolean {
  return file.endsWith('.test.ts') && existsSync(join(root, file)) && /\bexpect\(|\bdescribeWorker\(/.test(text(file));
}

/** `gateway answer/trust, parts; \`libs/bus\` tls (a note)`: the files that a cell of the table of attacks names. */
function filesOf(cell: string): string[] {
  const folders = cell.replace(/\([^)]*\)/g, '').split(';');
  return folders.flatMap((part) => {
    const [, gateway, folder, names = ''] = /^(?:(gateway)|`((?:apps|libs)\/[a-z-]+)`) ([a-z0-9/, -]+)$/.exec(part.trim()) ?? []; // prettier-ignore
    if (gateway === undefined && folder === undefined) return [`not in the form of the table: ${part}`];
    return names.split(',').map((name) => `${folder ?? 'apps/gateway'}/src/${name.trim()}.test.ts`);
  });
}

const attacks = [...text('docs/security.md').matchAll(/^\| (S\d\d) +\|[^|]*\|([^|]*)\|$/gm)].map(
  ([, attack = '', cell = '']) => [attack, filesOf(cell)] as const,
);

test('docs/security.md names a test for each of the 54 attacks', () => {
  const numbers = Array.from({ length: 54 }, (_, n) => `S${String(n + 1).padStart(2, '0')}`);
  expect(attacks.map(([attack]) => attack)).toEqual(numbers);
});

test.each(attacks)('the tests that docs/security.md names for %s are there', (_attack, files) => {
  expect(files.filter((file) => !asserts(file))).toEqual([]);
});

/** Every `*.ts` in backticks; one without a folder is beside the one before it. */
function namedIn(page: string): string[] {
  let folder = '';
  return [...text(page).matchAll(/`([\w./-]+\.ts)`/g)].map(([, name = '']) => {
    const isWhole = /^(apps|libs)\//.test(name);
    if (isWhole) folder = dirname(name);
    return isWhole ? name : join(folder, name);
  });
}

test('docs/guarantees.md names files that are there', () => {
  const named = namedIn('docs/guarantees.md');
  expect(named.length).toBeGreaterThan(5);
  expect(named.filter((file) => !existsSync(join(root, file)))).toEqual([]);
  expect(named.filter((file) => file.endsWith('.test.ts') && !asserts(file))).toEqual([]);
});

test('docs/counting.md names tests that are there, in the folder that it says or the one above it', () => {
  const named = [...text('docs/counting.md').matchAll(/`([\w./-]+\.test\.ts)`/g)].map(([, name = '']) => name);
  expect(named.length).toBeGreaterThan(20);
  const folders = ['apps/gateway/src/count', 'apps/gateway/src', ''];
  const missing = named.filter((name) => !folders.some((folder) => asserts(join(folder, name))));
  expect(missing).toEqual([]);
});
