import { createBars } from '../bars.js';
import { el, setAttribute, setText } from '../dom.js';
import { capitalize, formatChange, formatDuration, formatName, formatShare, formatValue } from '../format.js';
import { createPanel } from '../panel.js';
import { obstacleOf, queryPath } from '../questions.js';
import { compareOf, rangeWords } from '../state.js';

const JOBS = ['builds', 'mirrors', 'scans'];

/** How builds, mirrors and scans ended, and how long they took. */
export function createOutcomes() {
  const line = el('p', { class: 'headline' });
  const outcomes = createBars();
  const durations = createBars();
  const heading = el('h3', { class: 'visually-hidden' }, 'How long they took');
  let job = 'builds';
  let view;
  const switches = JOBS.map((name) =>
    el('button', { type: 'button', 'aria-pressed': String(name === job), on: { click: () => choose(name) } }, capitalize(name)),
  ); // prettier-ignore
  const panel = createPanel({
    title: 'Builds and their outcomes',
    tools: [el('div', { class: 'segments small', role: 'group', 'aria-label': 'Outcomes of' }, ...switches)],
    className: 'double',
    content: [line, el('div', { class: 'beside' }, outcomes.element, el('div', {}, heading, durations.element))],
    plan,
    draw,
  });

  function choose(name) {
    job = name;
    switches.forEach((each, at) => setAttribute(each, 'aria-pressed', String(JOBS[at] === job)));
    setText(panel.heading, `${capitalize(job)} and their outcomes`);
    void panel.refresh(view);
  }

  function plan(now) {
    view = now;
    const { state, descriptions } = now;
    const description = descriptions.find(({ name }) => name === job);
    if (description === undefined) return { obstacle: `There is no statistic of ${job} here.` };
    const obstacle = obstacleOf(description, capitalize(job), ['outcome'], state.filters);
    if (obstacle !== undefined) return { obstacle };
    const ask = (measure, by, more) => queryPath(state, { statistic: job, measure, by: [by], ...more });
    const kept = obstacleOf(description, capitalize(job), ['duration'], state.filters) === undefined;
    return {
      finished: ask('finished', 'outcome', { compare: compareOf(state, description.keepDays) }),
      spent: ask('durationMs', 'outcome'),
      optional: kept ? { durations: ask('finished', 'duration') } : {},
    };
  }

  function draw({ finished, spent, durations: classes }, { state }) {
    if (finished.total === 0) return `No ${job} ended in this range.`;
    const spentOn = new Map(spent.rows.map(({ outcome, value }) => [outcome, value]));
    const change = formatChange(finished.comparison?.change);
    setText(line, `${formatValue(finished.total)} ended${change ? `, ${change.words} against the same time before` : ''}; ${formatDuration(spent.total / finished.total)} each on average.`); // prettier-ignore
    outcomes.draw({
      caption: `Outcomes of ${job}, ${rangeWords(state)}`,
      columns: ['Outcome', 'Ended', 'Share', 'On average'],
      rows: finished.rows.map(({ outcome, value }) => ({
        key: String(outcome),
        name: formatName('outcome', outcome),
        size: value / finished.total,
        cells: [
          formatValue(value),
          formatShare(value, finished.total),
          value > 0 ? formatDuration((spentOn.get(outcome) ?? 0) / value) : '–',
        ],
      })),
    });
    drawDurations(classes, state);
    return undefined;
  }

  function drawDurations(answer, state) {
    const rows = [...(answer?.rows ?? [])].sort((a, b) => lengthOf(a.duration) - lengthOf(b.duration));
    const longest = Math.max(...rows.map(({ value }) => value), 1);
    durations.element.parentElement.hidden = rows.length === 0;
    durations.draw({
      caption: `How long ${job} took, ${rangeWords(state)}`,
      columns: ['How long it took', 'Ended', 'Share'],
      rows: rows.map(({ duration, value }) => ({
        key: String(duration),
        name: nameOf(duration),
        size: value / longest,
        cells: [formatValue(value), formatShare(value, answer.total)],
      })),
    });
  }

  return panel;
}

const UNITS = { ms: 1, s: 1000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Where a class such as `10s-1m` or `1h-` begins, in milliseconds; what is not known comes last. */
function lengthOf(duration) {
  const [, number, unit] = /^(\d+)(ms|[smhd])/.exec(duration ?? '') ?? [];
  return number === undefined ? Infinity : Number(number) * UNITS[unit];
}

/** `10s-1m` → `10 s – 1 m`, `1h-` → `1 h and more`. */
function nameOf(duration) {
  const [from, to] = (duration ?? '').split('-').map((each) => each.replace(/^(\d+)(\D+)$/, '$1\u00a0$2'));
  if (to === undefined) return formatName('duration', duration);
  return to === '' ? `${from} and more` : `${from} – ${to}`;
}
