import { readFileSync } from 'node:fs';
import { join } from 'node:path';

const text = (path: string) => readFileSync(join(__dirname, path), 'utf8');

/** The numbers of comments such as `// 4. Only reading.` and `// 11. to 13. Manifests …`, in their order. */
function commented(source: string): number[] {
  return [...source.matchAll(/\/\/ (\d+)\.(?: to (\d+)\.)?/g)].flatMap(([, from, to = from]) =>
    Array.from({ length: Number(to) - Number(from) + 1 }, (_, more) => Number(from) + more),
  );
}

const page = text('../../../docs/request-handling.md');
const ladder = page.slice(page.indexOf('## The ladder'), page.indexOf('## Redirect or proxy'));
const steps = [...ladder.matchAll(/^(\d+)\. /gm)].map(([, number]) => Number(number));

test('the page and the code climb the same steps in the same order', () => {
  expect(steps).toEqual(Array.from({ length: steps.length }, (_, position) => position + 1));
  expect(steps.length).toBeGreaterThan(10);
  expect(commented(text('handler.ts'))).toEqual(steps);
});

test('the steps of manifests are those that the handler leaves to them', () => {
  const [left] = /\/\/ (\d+)\. to (\d+)\. Manifests/.exec(text('handler.ts')) ?? [];
  expect(commented(text('answer/manifest.ts'))).toEqual(commented(left ?? ''));
});
