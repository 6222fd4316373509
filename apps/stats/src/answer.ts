import type { Metric, UsageAnswer } from '@weir/usage';

/**
 * The peer's answer as JSON text, piece by piece: `{metric, arch?, count, orgs?}`. `orgs` is left out when it is empty;
 * a count of zero is not (reference usage-metrics 1.6). However many organizations there are, one page of them is in
 * memory. The count stands behind `orgs` where it is their sum, which is known when they have gone by.
 */
export async function* renderAnswer(metric: Metric, answer: UsageAnswer): AsyncGenerator<string> {
  const { architecture, count, organizations } = answer;
  let text = `{"metric":${JSON.stringify(metric)}`;
  if (architecture !== undefined) text += `,"arch":${JSON.stringify(architecture)}`;
  if (count !== undefined) text += `,"count":${count}`;
  let sum = 0;
  let listed = false;
  for await (const page of organizations) {
    const members = page.map(([name, each]) => `${JSON.stringify(name)}:${each}`).join();
    for (const [, each] of page) sum += each;
    yield `${text}${listed ? ',' : ',"orgs":{'}${members}`;
    listed = true;
    text = '';
  }
  yield `${text}${listed ? '}' : ''}${count === undefined ? `,"count":${sum}` : ''}}`;
}
