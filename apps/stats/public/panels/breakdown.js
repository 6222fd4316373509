import { createBars } from '../bars.js';
import { el, setAttribute, setText } from '../dom.js';
import { capitalize, formatDimension, formatName, formatShare, formatValue } from '../format.js';
import { createPanel } from '../panel.js';
import { nothingOf, obstacleOf, queryPath } from '../questions.js';
import { rangeWords, withFilters } from '../state.js';

const FEW = 8;
const MANY = 100;

/**
 * The largest values of a dimension (or of several together); a click on one filters by it.
 *
 * @param views `[{label, by}]`: what can be switched between
 */
export function createBreakdown({ title, views }) {
  const bars = createBars();
  const note = el('p', { class: 'note' });
  const more = el('button', { type: 'button', class: 'more' });
  let chosen = 0;
  let top = FEW;
  let view;
  const switches = views.map(({ label }, at) =>
    el('button', { type: 'button', 'aria-pressed': String(at === 0), on: { click: () => choose(at) } }, label),
  );
  more.addEventListener('click', () => {
    top = top === FEW ? MANY : FEW;
    void panel.refresh(view);
  });
  const group = el('div', { class: 'segments small', role: 'group', 'aria-label': `${title} by` }, ...switches);
  const panel = createPanel({
    title,
    tools: views.length > 1 ? [group] : [],
    content: [bars.element, more, note],
    plan,
    draw,
  });

  function choose(at) {
    chosen = at;
    switches.forEach((each, index) => setAttribute(each, 'aria-pressed', String(index === at)));
    void panel.refresh(view);
  }

  function plan(now) {
    view = now;
    const { state, chosen: { statistic, measure, label, description } } = now; // prettier-ignore
    const { by } = views[chosen];
    const obstacle = obstacleOf(description, label, by, state.filters);
    return obstacle === undefined ? { answer: queryPath(state, { statistic, measure, by, top }) } : { obstacle };
  }

  function draw({ answer }, { state, chosen: measure, go }) {
    if (answer.total === 0) return nothingOf(measure, state);
    const { by } = views[chosen];
    const longest = Math.max(...answer.rows.map(({ value }) => value), 1);
    const rowOf = (row) => namedRow(row, { by, answer, longest, measure, state, go });
    const others = restOf(answer, longest, measure);
    bars.draw({
      caption: `${measure.label} by ${by.map(formatDimension).join(' and ')}, ${rangeWords(state)}`,
      columns: [by.map(formatDimension).map(capitalize).join(', '), measure.label, 'Share'],
      rows: [...answer.rows.map(rowOf), ...others],
    });
    more.hidden = top === FEW && answer.groups <= FEW;
    setText(more, top === FEW ? `Show more of ${formatValue(answer.groups)}` : 'Show fewer');
    setText(note, noteOf(answer));
    note.hidden = note.textContent === '';
    return undefined;
  }

  return panel;
}

function namedRow(row, { by, answer, longest, measure, state, go }) {
  const names = by.map((dimension) => formatName(dimension, row[dimension] ?? null));
  const values = Object.fromEntries(by.map((dimension) => [dimension, row[dimension] ?? null]));
  const pressed = by.every((dimension) => Object.hasOwn(state.filters, dimension) && state.filters[dimension] === values[dimension]); // prettier-ignore
  const without = Object.entries(state.filters).filter(([dimension]) => !by.includes(dimension));
  return {
    key: JSON.stringify(Object.values(values)),
    name: joined(by, names),
    size: row.value / longest,
    cells: [formatValue(row.value, measure.unit), formatShare(row.value, answer.total)],
    muted: Object.values(values).every((value) => value === null),
    pressed,
    act: () => go(pressed ? { filters: Object.fromEntries(without) } : withFilters(state, values)),
  };
}

/** An image and its tag are one name; other values stand beside each other. */
function joined(by, names) {
  return names.join(by.at(-1) === 'tag' ? ':' : ' · ');
}

/** What has no row of its own, so that the numbers add up. */
function restOf({ rest = 0, other = 0, groups, rows, total }, longest, { unit }) {
  const row = (key, name, value, title) => ({
    key,
    name,
    title,
    size: Math.min(value / longest, 1),
    cells: [formatValue(value, unit), formatShare(value, total)],
    muted: true,
  });
  return [
    ...(rest > 0
      ? [row('rest', groups - rows.length === 1 ? '1 other' : `${formatValue(groups - rows.length)} others`, rest)]
      : []),
    ...(other > 0 ? [row('other', 'without a name of its own', other)] : []),
  ];
}

function noteOf({ other = 0, by }) {
  if (other === 0) return '';
  const names = by.map(formatDimension).join(' and ');
  return `Without a name of its own: an hour or day tells only so many apart by ${names}; what came after those is one number.`;
}
