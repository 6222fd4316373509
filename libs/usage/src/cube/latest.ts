import type { Redis } from 'ioredis';
import { valuesOf } from './combinations';
import { segmentsOf } from './group';
import { latestKey } from './keys';
import type { Description, LatestQuestion, LatestRow } from './question';
import { QuestionError } from './question-error';
import { unionOf } from './union';

/**
 * When the latest event came, the latest first. What is read is a copy of one moment: in the set itself, combinations
 * change places while it is read.
 *
 * @throws QuestionError when these times are not kept
 */
export async function latest(
  where: { redis: Redis; prefix: string },
  { statistic, group, filters, limit }: LatestQuestion,
  description: Pick<Description, 'latest'>,
): Promise<readonly LatestRow[]> {
  const kept = description.latest.map((each) => each.join(','));
  if (!kept.includes(group.join())) throw new QuestionError('by', `there are no times of ${group.join()}`, kept.join('; ') || 'none of this statistic'); // prettier-ignore
  const segments = segmentsOf(group, filters);
  const copy = await unionOf(where, [latestKey(where.prefix, statistic, group)]);
  try {
    const rows: LatestRow[] = [];
    for await (const page of copy.pages(0, copy.size)) {
      for (const [member, time] of page) {
        if (rows.length === limit) return rows;
        const parts = member.split('/');
        if (!segments.every((segment, at) => segment === undefined || segment === parts[at])) continue;
        rows.push({ values: valuesOf(member, group), time });
      }
    }
    return rows;
  } finally {
    await copy.release();
  }
}
