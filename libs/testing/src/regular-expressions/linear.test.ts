import { readdirSync, readFileSync } from 'node:fs';
import { join, relative } from 'node:path';
import ts from 'typescript';
import { hostileTexts, stepsOf } from './work.test-support';

// S48: every regular expression through which a stranger's text goes takes steps in proportion to the text. An expression
// that is added to these folders is looked at by itself.

const ROOT = join(__dirname, '../../../..');
const FOLDERS = ['apps/gateway/src', 'libs/registry/src', 'libs/events/src', 'apps/ingest/src'];
const TIMES = 20;

/** Steps for the worst text of four times the length, for each step for the worst text: 4 when linear, 16 when quadratic. */
function growth(expression: RegExp): number {
  const worst = (times: number) =>
    hostileTexts(expression, times).reduce((most, text) => Math.max(most, stepsOf(expression, text)), 0);
  try {
    return worst(TIMES * 4) / worst(TIMES);
  } catch (error) {
    if (error instanceof RangeError) return Infinity;
    throw error;
  }
}

function sources(): string[] {
  return FOLDERS.flatMap((folder) =>
    readdirSync(join(ROOT, folder), { recursive: true, encoding: 'utf8' })
      .filter((name) => name.endsWith('.ts') && !/\.(test|test-support|fixture)\.ts$/.test(name))
      .map((name) => join(ROOT, folder, name)),
  );
}

const expressions = sources().flatMap((file) => {
  const found: { where: string; expression: RegExp }[] = [];
  const tree = ts.createSourceFile(file, readFileSync(file, 'utf8'), ts.ScriptTarget.ES2022, true);
  const look = (node: ts.Node): void => {
    if (ts.isRegularExpressionLiteral(node)) {
      const [, pattern = '', flags = ''] = /^\/(.*)\/([a-z]*)$/s.exec(node.text) ?? [];
      found.push({ where: `${relative(ROOT, file)} ${node.text}`, expression: new RegExp(pattern, flags) });
    }
    ts.forEachChild(node, look);
  };
  look(tree);
  return found;
});

test.each(['^(a+)+$', '(?:a|a)*b', '^(?:a|ab|b)*$', '\\s+$', '^.*,.*x$', 'x*x*y'])(
  'the check finds /%s/',
  (pattern) => {
    expect(growth(new RegExp(pattern))).toBeGreaterThan(8);
  },
);

test.each(['^[a-z]+(?:-[a-z]+)*$', '^a*b*c*$', '^(?=ab)a', '^"((?:[^"\\\\]|\\\\.)*)"$', '^[a-z]{1,63}$'])(
  'the check lets /%s/ go',
  (pattern) => expect(growth(new RegExp(pattern))).toBeLessThan(6),
);

test('there are expressions to look at, all of them written out', () => {
  expect(expressions.length).toBeGreaterThan(20);
  for (const file of sources()) expect([file, readFileSync(file, 'utf8').match(/new RegExp\(/g)]).toEqual([file, null]);
});

test.each(expressions)('$where', ({ expression }) => expect(growth(expression)).toBeLessThan(6));
