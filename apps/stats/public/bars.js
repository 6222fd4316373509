import { el, setAttribute, setText, syncChildren } from './dom.js';

/**
 * A table whose first column has a bar behind the name, as long as the number is large.
 *
 * @returns `element`, and `draw({caption, columns, rows})`; a row is `{key, name, size, cells, muted, title, act, pressed}`:
 *   `size` from 0 to 1, `act` what a click on the name does
 */
export function createBars() {
  const caption = el('caption', { class: 'visually-hidden' });
  const head = el('tr', {});
  const body = el('tbody', {});
  const element = el('table', { class: 'bars' }, caption, el('thead', {}, head), body);
  const acts = new WeakMap();

  const create = ({ act }) => {
    const name = act ? el('button', { type: 'button', class: 'name' }) : el('span', { class: 'name' });
    const row = el('tr', {}, el('th', { scope: 'row' }, el('span', { class: 'fill', 'aria-hidden': 'true' }), name));
    name.addEventListener('click', () => acts.get(row)?.());
    return row;
  };
  const update = (row, { name, size, cells, muted, title, act, pressed }) => {
    const [fill, label] = row.firstElementChild.children;
    fill.style.width = `${Math.max(0, Math.min(size, 1)) * 100}%`;
    setText(label, name);
    setAttribute(label, 'title', title ?? name);
    if (act) setAttribute(label, 'aria-pressed', String(Boolean(pressed)));
    setAttribute(row, 'class', muted ? 'muted' : null);
    acts.set(row, act);
    fillCells(row, cells);
  };

  return {
    element,
    draw({ caption: text, columns, rows }) {
      setText(caption, text);
      if (head.textContent !== columns.join('')) {
        head.replaceChildren(...columns.map((each, at) => el('th', { scope: 'col', class: at > 0 && 'number' }, each)));
      }
      syncChildren(body, rows, { key: (row) => `${row.act ? 'act' : 'say'} ${row.key}`, create, update });
    },
  };
}

function fillCells(row, cells) {
  while (row.children.length > cells.length + 1) row.lastElementChild.remove();
  cells.forEach((text, at) => setText(row.children[at + 1] ?? row.appendChild(el('td', { class: 'number' })), text));
}
