/**
 * A new element. Children are nodes or text, never HTML: names come from whoever asks the gateway for something.
 *
 * @param attributes `on` has listeners by event; true stands for an attribute without value; null, undefined and false
 *   leave one out.
 */
export function el(tag, attributes = {}, ...children) {
  const element = document.createElement(tag);
  const { on = {}, ...rest } = attributes;
  for (const [name, value] of Object.entries(rest)) setAttribute(element, name, value);
  for (const [event, listener] of Object.entries(on)) element.addEventListener(event, listener);
  element.append(...children.flat().filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

/** Sets an attribute, or removes it; leaves alone one that is so already. */
export function setAttribute(element, name, value) {
  if (value === null || value === undefined || value === false) element.removeAttribute(name);
  else if (element.getAttribute(name) !== String(value))
    element.setAttribute(name, value === true ? '' : String(value));
}

/** Sets the text of an element; leaves it alone if it is so already. */
export function setText(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

/**
 * Makes the children of `parent` those of `items`, in their order. An element whose key was there before stays the same
 * one and is only brought up to date, so nothing flickers and the focus stays where it is.
 *
 * @param create makes the element of an item
 * @param update brings the element of an item up to date; called after `create`, too
 */
export function syncChildren(parent, items, { key, create, update }) {
  const focused = document.activeElement;
  const before = new Map([...parent.children].map((child) => [child.dataset.key, child]));
  let next = parent.firstElementChild;
  for (const item of items) {
    const name = key(item);
    const element = before.get(name) ?? create(item);
    element.dataset.key = name;
    before.delete(name);
    update(element, item);
    if (element === next) next = next.nextElementSibling;
    else parent.insertBefore(element, next);
  }
  for (const gone of before.values()) gone.remove();
  if (focused !== document.activeElement && focused?.isConnected) focused.focus({ preventScroll: true });
}
