import { el, syncChildren, setText } from './dom.js';
import { formatSpan } from './format.js';

/** Why numbers are not whole, in words that need no other page. */
const WORDS = {
  flow: 'nothing reached the counters: events of this time may be missing or still to come',
  emergency: 'had no broker: its events came by the emergency path, later than they happened',
  outage: 'said that it was down',
};

export function gapWords({ reason, service }) {
  const words = WORDS[reason] ?? reason;
  return reason === 'flow' ? words : `${service ?? 'a service'} ${words}`;
}

/** Gaps as a list, the latest first; `limit` of them, and how many more there are. */
export function renderGaps(list, gaps, limit) {
  const latest = [...gaps].reverse();
  const items = latest.slice(0, limit).map((gap) => ({ name: `${gap.from} ${gap.reason} ${gap.service ?? ''}`, gap }));
  if (latest.length > limit) items.push({ name: 'more', more: latest.length - limit });
  syncChildren(list, items, {
    key: ({ name }) => name,
    create: () => el('li', {}),
    update: (item, { gap, more }) =>
      setText(item, more ? `and ${more} more` : `${formatSpan(gap.from, gap.to)}: ${gapWords(gap)}`),
  });
}
