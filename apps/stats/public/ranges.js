import { el, setAttribute } from './dom.js';
import { daysOf, RANGES } from './state.js';

/** Fills `element` with the choice of the range: the usual ones, and two days of one's own. */
export function createRanges(element, go) {
  const buttons = Object.entries(RANGES).map(([range, { label }]) =>
    el('button', { type: 'button', on: { click: () => go({ range, interval: undefined }) } }, label),
  );
  const [from, to] = ['From', 'To'].map((label) => el('input', { type: 'date', required: true, 'aria-label': label }));
  const form = el(
    'form',
    { class: 'custom', on: { submit } },
    from,
    el('span', {}, 'to'),
    to,
    el('button', {}, 'Show'),
  );
  const custom = el('details', {}, el('summary', {}, 'Custom'), form);
  element.append(el('div', { class: 'segments', role: 'group', 'aria-label': 'Range' }, ...buttons), custom);
  custom.addEventListener('keydown', ({ key }) => {
    if (key !== 'Escape' || !custom.open) return;
    custom.open = false;
    custom.firstElementChild.focus();
  });

  function submit(event) {
    event.preventDefault();
    to.setCustomValidity(to.value < from.value ? 'The last day must not lie before the first one.' : '');
    if (!form.reportValidity()) return;
    custom.open = false;
    go({ range: 'custom', from: from.value, to: to.value, interval: undefined });
  }
  to.addEventListener('input', () => to.setCustomValidity(''));

  return (state) => {
    Object.keys(RANGES).forEach((range, at) =>
      setAttribute(buttons[at], 'aria-pressed', String(range === state.range)),
    );
    const chosen = state.range === 'custom';
    custom.firstElementChild.textContent = chosen ? `${state.from} – ${state.to}` : 'Custom';
    custom.classList.toggle('chosen', chosen);
    if (custom.open) return;
    const days = daysOf(state);
    from.value = days.from;
    to.value = days.to;
  };
}
