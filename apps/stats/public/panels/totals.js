import { ApiError } from '../api.js';
import { el, setAttribute, setText, syncChildren } from '../dom.js';
import { formatChange, formatValue } from '../format.js';
import { marksOf } from '../marks.js';
import { sameMeasure } from '../measures.js';
import { obstacleOf, queryPath } from '../questions.js';
import { compareOf } from '../state.js';

/** The totals of the range, each with its change; a click shows that measure in all of the page. */
export function createTotals() {
  const list = el('ul', { class: 'tiles' });
  const element = el('section', { class: 'totals', 'aria-label': 'Totals' }, list);
  let run = 0;
  let before = new Map();

  async function refresh({ api, state, measures, chosen, go }) {
    const mine = (run += 1);
    const shown = measures.filter((each) => each.first);
    const tiles = await Promise.all(shown.map((each) => tileOf(api, state, each, before)));
    if (mine !== run) return undefined;
    before = new Map(tiles.map(({ path, answer }) => [path, answer]));
    syncChildren(list, tiles, {
      key: ({ statistic, measure }) => `${statistic}.${measure}`,
      create: createTile,
      update: (item, tile) => updateTile(item, { ...tile, pressed: sameMeasure(tile, chosen), go }),
    });
    return tiles.find(({ error }) => error && error.kind !== 'forbidden')?.error;
  }

  return { element, refresh };
}

/** @param before answers of the last time, by their paths: they stay when there are no newer ones */
async function tileOf(api, state, { statistic, measure, label, summary, unit, description }, before) {
  const tile = { statistic, measure, label, summary, unit };
  const obstacle = obstacleOf(description, label, [], state.filters);
  if (obstacle !== undefined) return { ...tile, obstacle };
  const path = queryPath(state, { statistic, measure, compare: compareOf(state, description.keepDays) });
  try {
    return { ...tile, path, answer: await api.ask(path) };
  } catch (error) {
    if (!(error instanceof ApiError)) throw error;
    return { ...tile, path, answer: before.get(path), error };
  }
}

function createTile() {
  const button = el(
    'button',
    { type: 'button', class: 'tile' },
    el('span', { class: 'tile-label' }),
    el('span', { class: 'tile-value' }),
    el('span', { class: 'tile-change' }),
    el('span', { class: 'tile-mark' }),
  );
  return el('li', {}, button);
}

function updateTile(item, { statistic, measure, label, summary, unit, obstacle, answer, pressed, go }) {
  const button = item.firstElementChild;
  const [name, value, change, mark] = button.children;
  button.onclick = () => go({ statistic, measure });
  setAttribute(button, 'aria-pressed', String(pressed));
  setAttribute(button, 'title', obstacle ?? summary);
  setText(name, label);
  setText(value, answer ? formatValue(answer.total, unit) : '–');
  value.classList.toggle('long', value.textContent.length > 9);
  setText(change, changeText(obstacle, answer));
  setText(
    mark,
    answer
      ? marksOf(answer)
          .map(([word]) => word)
          .join(', ')
      : '',
  );
}

function changeText(obstacle, answer) {
  if (obstacle !== undefined) return 'not with these filters';
  if (answer === undefined) return 'not known';
  const change = formatChange(answer.comparison?.change);
  if (answer.comparison === undefined) return '';
  if (change === undefined) return answer.total > 0 ? 'none before' : 'none';
  return change.arrow === '=' ? 'as before' : `${change.arrow} ${change.text}`;
}
