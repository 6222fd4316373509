import { el, setAttribute, setText, syncChildren } from './dom.js';
import { formatDimension, formatName } from './format.js';
import { withFilters, withoutFilter } from './state.js';

/**
 * Fills `element` with the filters: one chip each, which a click removes, and a field to add one by hand, for what is in
 * none of the tables.
 */
export function createFilters(element, getState, go) {
  const list = el('ul', { class: 'chips', 'aria-label': 'Filters' });
  const dimension = el('select', { 'aria-label': 'Filter by' });
  const value = el('input', { type: 'text', 'aria-label': 'Value', placeholder: 'value; empty: not known', autocomplete: 'off', maxlength: '512' }); // prettier-ignore
  const form = el('form', { class: 'add', on: { submit } }, dimension, value, el('button', {}, 'Add'));
  const adding = el('details', { class: 'adding' }, el('summary', {}, 'Filter'), form);
  element.append(list, adding);

  function submit(event) {
    event.preventDefault();
    const chosen = value.value.trim() || null;
    value.value = '';
    adding.open = false;
    adding.firstElementChild.focus();
    go(withFilters(getState(), { [dimension.value]: chosen }));
  }

  function remove(name) {
    const next = withoutFilter(getState(), name);
    go(next);
    (list.querySelector('button') ?? adding.firstElementChild).focus();
  }

  return (state, dimensions) => {
    const filters = Object.entries(state.filters);
    list.hidden = filters.length === 0;
    syncChildren(list, filters, {
      key: ([name]) => name,
      create: ([name]) => el('li', {}, el('button', { type: 'button', class: 'chip', on: { click: () => remove(name) } }, el('span', {}), el('span', { 'aria-hidden': 'true' }, '×'))), // prettier-ignore
      update: (item, [name, value_]) => {
        const text = `${formatDimension(name)}: ${formatName(name, value_)}`;
        setText(item.firstElementChild.firstElementChild, text);
        setAttribute(item.firstElementChild, 'aria-label', `Remove the filter ${text}`);
      },
    });
    syncChildren(dimension, dimensions, {
      key: (name) => name,
      create: (name) => el('option', { value: name }, formatDimension(name)),
      update: () => {},
    });
    adding.hidden = dimensions.length === 0;
  };
}
