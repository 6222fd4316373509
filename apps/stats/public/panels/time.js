import { createChart, createDataTable } from '../chart.js';
import { el, setAttribute, setText, syncChildren } from '../dom.js';
import { capitalize, formatChange, formatShare, formatValue } from '../format.js';
import { renderGaps } from '../gaps.js';
import { sameMeasure } from '../measures.js';
import { createPanel } from '../panel.js';
import { nothingOf, obstacleOf, queryPath } from '../questions.js';
import { compareOf, intervalOf, intervalsOf, rangeWords } from '../state.js';

const GAPS = 3;

/** The chosen measure over time, beside the same time before. `say` is told it in one sentence. */
export function createTime(say) {
  const chart = createChart('line');
  const table = createDataTable();
  const line = el('p', { class: 'headline' });
  const gaps = el('ul', { class: 'gaps' });
  const legend = createLegend();
  const choose = el('select', { 'aria-label': 'What is shown' });
  const intervals = el('div', { class: 'segments small', role: 'group', 'aria-label': 'Interval' });
  let go = () => {};
  choose.addEventListener('change', () => go(JSON.parse(choose.value)));
  const picture = el('div', { role: 'img' }, chart.element);
  const panel = createPanel({
    title: 'Over time',
    className: 'wide',
    tools: [choose, intervals],
    content: [line, picture, legend.element, gaps, table.element],
    plan,
    draw,
  });

  function plan({ state, measures, chosen, go: goTo }) {
    go = goTo;
    setText(panel.heading, `${chosen.label} over time`);
    drawChoice(choose, measures, chosen);
    drawIntervals(intervals, state, chosen, go);
    const { statistic, measure, label, description } = chosen;
    const obstacle = obstacleOf(description, label, [], state.filters);
    if (obstacle !== undefined) return { obstacle };
    const interval = intervalOf(state, description.keepDays);
    const compare = compareOf(state, description.keepDays, interval);
    return { series: queryPath(state, { statistic, measure, interval, compare, fill: 'zero' }) };
  }

  function draw({ series }, { state, chosen }, body) {
    if (series.total === 0 && series.gaps.length === 0) return nothingOf(chosen, state);
    const words = wordsOf(series, chosen, state);
    setText(line, words);
    setAttribute(picture, 'aria-label', `Line chart. ${words} The numbers follow as a table.`);
    say(words);
    const data = dataOf(series, chosen, state);
    body.hidden = false; // a chart takes its width from where it is
    chart.draw(data);
    legend.draw(data);
    table.draw({ ...data, title: `${chosen.label} over time, ${rangeWords(state)}` });
    renderGaps(gaps, series.gaps, GAPS);
    return undefined;
  }

  return panel;
}

function wordsOf({ total, comparison, anonymous }, { label, unit }, state) {
  const change = formatChange(comparison?.change);
  const compared = change ? `, ${change.words} against the same time before` : '';
  const share = anonymous === undefined || total === 0 ? '' : ` ${formatShare(anonymous, total)} of it anonymous.`;
  return `${label}: ${formatValue(total, unit)} in ${rangeWords(state)}${compared}.${share}`;
}

function dataOf({ rows, gaps, from, to, interval }, { unit }, state) {
  const times = rows.map(({ time }) => Date.parse(time));
  return {
    times,
    values: rows.map(({ value }) => value),
    previous: rows.some(({ previous }) => previous !== undefined)
      ? rows.map(({ previous }) => previous ?? null)
      : undefined,
    gaps,
    from: Date.parse(from),
    to: Date.parse(to),
    interval,
    unit,
    open: state.range !== 'custom' && rows.length > 1,
  };
}

function createLegend() {
  const part = (name, text) => el('span', { class: `legend ${name}` }, text);
  const parts = {
    now: part('legend-now', 'this range'),
    open: part('legend-open', 'so far, not over yet'),
    before: part('legend-before', 'the same time before'),
    gap: part('legend-gap', 'incomplete'),
  };
  return {
    element: el('p', { class: 'legends', 'aria-hidden': 'true' }, ...Object.values(parts)),
    draw({ previous, gaps, open }) {
      parts.open.hidden = !open;
      parts.before.hidden = previous === undefined;
      parts.gap.hidden = gaps.length === 0;
    },
  };
}

function drawChoice(select, measures, chosen) {
  syncChildren(select, measures, {
    key: ({ statistic, measure }) => JSON.stringify({ statistic, measure }),
    create: ({ statistic, measure }) => el('option', { value: JSON.stringify({ statistic, measure }) }),
    update: (option, each) => {
      setText(option, each.label);
      if (sameMeasure(each, chosen)) option.selected = true;
    },
  });
}

function drawIntervals(group, state, { description: { keepDays } }, go) {
  const chosen = intervalOf(state, keepDays);
  const possible = intervalsOf(state, keepDays);
  group.hidden = possible.length < 2;
  syncChildren(group, possible, {
    key: (interval) => interval,
    create: () => el('button', { type: 'button' }),
    update: (button, interval) => {
      setText(button, capitalize(interval));
      setAttribute(button, 'aria-pressed', String(interval === chosen));
      button.onclick = () => go({ interval });
    },
  });
}
