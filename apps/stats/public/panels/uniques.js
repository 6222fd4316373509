import { createChart, createDataTable } from '../chart.js';
import { el, setAttribute, setText } from '../dom.js';
import { formatDay, formatValue } from '../format.js';
import { createPanel } from '../panel.js';
import { uniquesPath } from '../questions.js';
import { daysOf, lengthOf, rangeWords } from '../state.js';

const MAX_DAYS = 400;
const DAY_MS = 86_400_000;
/** Sources are kept for each of these, and for nothing else. */
const KEPT = ['organization', 'repository'];

/** From how many different places pulls came. */
export function createUniques() {
  const number = el('p', { class: 'figure' });
  const line = el('p', { class: 'headline' });
  const chart = createChart('bars');
  const picture = el('div', { role: 'img' }, chart.element);
  const table = createDataTable();
  const note = el('p', { class: 'note' });
  return createPanel({ title: 'Unique sources', content: [number, line, picture, table.element, note], plan, draw });

  function plan({ state }) {
    const filters = Object.entries(state.filters);
    if (lengthOf(state) > MAX_DAYS) return { obstacle: `Sources can be asked for at most ${MAX_DAYS} days.` };
    if (filters.length > 1 || filters.some(([name, value]) => !KEPT.includes(name) || value === null)) {
      return {
        obstacle: 'Sources are counted for all, for one organization or for one repository; not with these filters.',
      };
    }
    return { answer: uniquesPath(state) };
  }

  function draw({ answer }, { state }, body) {
    const { sources, error, atMost, days } = answer;
    const range = daysOf(state);
    if (!sources && days.every((each) => !each.sources)) return 'No pull in this range says where it came from.';
    setText(number, `${atMost ? '≤ ' : ''}${formatValue(Math.round(sources ?? 0))}`);
    setText(line, `different sources pulled on the days from ${formatDay(range.from)} to ${formatDay(range.to)}.`);
    setAttribute(picture, 'aria-label', `Bar chart: sources of each day. The numbers follow as a table.`);
    const times = days.map(({ day }) => Date.parse(day));
    const data = {
      times,
      values: days.map((each) => (each.sources === null ? null : Math.round(each.sources))),
      from: Date.parse(range.from),
      to: Date.parse(range.to) + DAY_MS,
      interval: 'day',
      open: state.range !== 'custom',
    };
    body.hidden = false;
    chart.draw(data);
    table.draw({ ...data, title: `Sources by day, ${rangeWords(state)}` });
    setText(note, noteOf(answer, error));
    return undefined;
  }
}

function noteOf({ atMost, outsideRetention, leftOut }, error) {
  return [
    `An estimate: within ${(error * 200).toFixed(1)} % nearly always. Who comes on two days is one source.`,
    atMost && 'At most so many: months cannot be told together, so who came in two of them is two.',
    outsideRetention > 0 && `${outsideRetention} days are kept no longer.`,
    leftOut > 0 && 'There were more names than have room; this one may be too low on those days.',
  ]
    .filter(Boolean)
    .join(' ');
}
