import { formatInterval, formatShort, formatValue } from './format.js';
import { el, setText } from './dom.js';

/* global uPlot */

const HEIGHT = { line: 260, bars: 120 };
const DAY_S = 86_400;

/**
 * A time series: a line or bars, what was before as a faint line, gaps as hatched bands. What it draws is said in words
 * by whoever uses it, for a canvas says nothing to those who do not see it.
 *
 * @returns `element`, and `draw({times, values, previous, gaps, from, to, interval, unit, open})`: times in Unix ms; `open`
 *   when the last interval is not over yet: it is drawn with dashes.
 */
export function createChart(kind) {
  const tip = el('div', { class: 'tip', hidden: true });
  const plotting = el('div', { class: 'plot', 'aria-hidden': 'true' });
  const element = el('div', { class: `chart chart-${kind}` }, plotting, tip);
  let plot;
  let shape;
  let drawn;

  function draw(data) {
    drawn = data;
    const next = `${data.unit} ${data.interval} ${plotting.clientWidth}`;
    if (plot && next === shape) {
      plot.setData(seriesOf(data, kind), false);
      plot.setScale('x', scaleOf(data));
      return;
    }
    plot?.destroy();
    shape = next;
    plot = new uPlot(
      options(kind, plotting.clientWidth, () => drawn, tip),
      seriesOf(data, kind),
      plotting,
    );
  }

  const again = () => {
    if (!drawn) return;
    shape = undefined;
    draw(drawn);
  };
  new ResizeObserver(() => {
    if (plot && plot.width !== plotting.clientWidth && plotting.clientWidth > 0) again();
  }).observe(plotting);
  document.documentElement.addEventListener('theme', again);
  return { element, draw };
}

/** uPlot's columns: times in seconds, what was before, the whole intervals, the one that is not over. */
function seriesOf({ times, values, previous, open }, kind) {
  const last = values.length - 1;
  const joint = kind === 'line' ? last - 1 : last; // a line needs a point to begin at
  const whole = open ? values.map((value, at) => (at === last ? null : value)) : values;
  const running = values.map((value, at) => (open && at >= joint ? value : null));
  return [times.map((time) => time / 1000), previous ?? values.map(() => null), whole, running];
}

function scaleOf({ times, from, to, interval }) {
  if (interval === 'hour') return { min: from / 1000, max: to / 1000 };
  const [first, last] = [times[0] ?? from, times.at(-1) ?? to];
  return { min: first / 1000, max: Math.max(last / 1000, first / 1000 + DAY_S) };
}

function options(kind, width, current, tip) {
  const style = getComputedStyle(document.documentElement);
  const color = (name) => style.getPropertyValue(`--${name}`).trim();
  const axis = { stroke: color('muted'), font: `12px ${color('font')}`, ticks: { show: false } };
  const pad = kind === 'bars' ? DAY_S * 0.6 : 0;
  const { interval, unit } = current();
  const bars = kind === 'bars' ? { paths: uPlot.paths.bars({ size: [0.7, 48] }), points: { show: false } } : {};
  const line = { width: 1.75, stroke: color('accent'), points: { show: false } };
  const area = kind === 'line' ? { fill: color('area') } : { fill: color('accent'), width: 0 };
  return {
    width,
    height: HEIGHT[kind],
    padding: [12, 28, 0, 0],
    legend: { show: false },
    tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), 'Etc/UTC'),
    cursor: { y: false, drag: { x: false, y: false }, points: { size: 7, fill: color('accent') } },
    scales: {
      x: { time: true, range: () => shifted(scaleOf(current()), pad) },
      y: { range: (_, __, max) => [0, Math.max(max ?? 0, 1) * 1.08] },
    },
    axes: [
      { ...axis, grid: { show: false }, space: 64, size: 30, values: (_, splits) => dateLabels(splits, interval) },
      {
        ...axis,
        grid: { stroke: color('grid'), width: 1 },
        space: kind === 'bars' ? 40 : 48,
        size: 60,
        incrs:
          unit === 'bytes' || unit === 'ms' ? undefined : [1, 2, 5].flatMap((n) => decades(n)).sort((a, b) => a - b),
        values: (_, splits) => splits.map((value) => formatShort(value, unit)),
      },
    ],
    series: [
      {},
      { ...line, width: 1.25, stroke: color('before'), points: { show: false } },
      { ...line, ...area, ...bars },
      kind === 'bars' ? { ...line, ...bars, width: 0, fill: color('before') } : { ...line, dash: [4, 4] },
    ],
    hooks: {
      drawClear: [(plot) => drawGaps(plot, current().gaps ?? [], { line: color('gap'), text: color('muted') })],
      setCursor: [(plot) => showTip(plot, tip, current())],
    },
  };
}

const decades = (digit) => Array.from({ length: 13 }, (_, power) => digit * 10 ** power);
const shifted = ({ min, max }, by) => [min - by, max + by];

/** A day's name where a day begins, the hour elsewhere. */
function dateLabels(splits, interval) {
  return splits.map((seconds) => {
    const at = new Date(seconds * 1000);
    const day = at.toLocaleDateString('en-GB', { timeZone: 'UTC', day: 'numeric', month: 'short' });
    const midnight = seconds % DAY_S === 0;
    if (interval === 'hour' && !midnight) return at.toISOString().slice(11, 16);
    return midnight ? day : '';
  });
}

/** Hatched, for a colour alone says nothing to some; with a word where there is room for it. */
function drawGaps(plot, gaps, colors) {
  const { ctx } = plot;
  const { left, top, width, height } = plot.bbox;
  const ratio = devicePixelRatio || 1;
  ctx.save();
  for (const gap of gaps) {
    const from = Math.max(plot.valToPos(Date.parse(gap.from) / 1000, 'x', true), left);
    const to = Math.min(plot.valToPos(Date.parse(gap.to) / 1000, 'x', true), left + width);
    if (!(to >= left && from <= left + width)) continue;
    const wide = Math.max(to - from, 3 * ratio); // a minute must be seen in a year
    ctx.fillStyle = hatching(ctx, colors.line, ratio);
    ctx.fillRect(from, top, wide, height);
    if (wide < 72 * ratio) continue;
    ctx.fillStyle = colors.text;
    ctx.font = `${11 * ratio}px sans-serif`;
    ctx.textAlign = 'center';
    ctx.fillText('incomplete', from + wide / 2, top + 14 * ratio);
  }
  ctx.restore();
}

function hatching(ctx, color, ratio) {
  const size = 8 * ratio;
  const tile = new OffscreenCanvas(size, size);
  const stroke = tile.getContext('2d');
  stroke.strokeStyle = color;
  stroke.lineWidth = 1.5 * ratio;
  for (const shift of [-size, 0, size]) {
    stroke.moveTo(shift, size);
    stroke.lineTo(shift + size, 0);
  }
  stroke.stroke();
  return ctx.createPattern(tile, 'repeat');
}

function showTip(plot, tip, { times, values, previous, interval, unit, gaps = [], open }) {
  const { idx, left } = plot.cursor;
  const shown = idx !== null && idx !== undefined && left >= 0 && values[idx] !== undefined;
  tip.hidden = !shown;
  if (!shown) return;
  const end = times[idx + 1] ?? times[idx] + (times[idx] - (times[idx - 1] ?? times[idx]));
  const inGap = gaps.some((gap) => Date.parse(gap.from) < end && Date.parse(gap.to) > times[idx]);
  const before = previous?.[idx];
  tip.replaceChildren(
    el('span', { class: 'tip-time' }, formatInterval(times[idx], interval)),
    el('strong', {}, values[idx] === null ? 'not kept' : formatValue(values[idx], unit)),
    before === null || before === undefined ? '' : el('span', {}, `before: ${formatValue(before, unit)}`),
    inGap ? el('span', {}, 'incomplete') : '',
    open && idx === values.length - 1 ? el('span', {}, 'so far') : '',
  );
  const half = tip.offsetWidth / 2;
  const at = plot.over.offsetLeft + left;
  tip.style.left = `${Math.min(Math.max(at, half), plot.width - half)}px`;
}

/** The same numbers as rows of a table; made when it is opened. */
export function createDataTable() {
  const caption = el('caption', { class: 'visually-hidden' });
  const body = el('tbody', {});
  const head = (text) => el('th', { scope: 'col' }, text);
  const table = el('table', { class: 'data' }, caption, el('thead', {}, el('tr', {}, ...['Time', 'Number', 'Before'].map(head))), body); // prettier-ignore
  const scroller = el('div', { class: 'scroll', tabindex: '0', role: 'region' }, table);
  const element = el('details', { class: 'numbers' }, el('summary', {}, 'The numbers as a table'), scroller);
  let drawn;
  const fill = () => {
    if (!element.open || !drawn) return;
    const { times, values, previous, interval, unit, title } = drawn;
    setText(caption, title);
    scroller.setAttribute('aria-label', title);
    const write = (value) => (value === null || value === undefined ? '–' : formatValue(value, unit));
    body.replaceChildren(
      ...times.map(
        (time, at) =>
        el('tr', {}, el('th', { scope: 'row' }, formatInterval(time, interval)), el('td', {}, write(values[at])), el('td', {}, write(previous?.[at]))), // prettier-ignore
      ),
    );
  };
  element.addEventListener('toggle', fill);
  return {
    element,
    draw(data) {
      drawn = data;
      fill();
    },
  };
}
