import { el } from './dom.js';
import { capitalize } from './format.js';
import { authorization, signInWithKey, signInWithPassword, signOut } from './session.js';
import { withoutFilter } from './state.js';

/**
 * Says in `element` what keeps the numbers away and what to do about it. `again` asks anew; `signedIn` is called after
 * somebody has given a name and password, or a key.
 */
export function createNotice(element, { again, signedIn, getState, go }) {
  let shown;

  const box = (title, ...content) => {
    element.replaceChildren(el('section', { class: 'notice', role: 'alert' }, el('h2', {}, title), ...content));
  };
  const retry = () => el('button', { type: 'button', on: { click: again } }, 'Try again');
  const unfilter = () =>
    el('button', { type: 'button', on: { click: () => go(withoutFilter(getState(), 'organization')) } }, 'Without the filter'); // prettier-ignore
  const stale = 'What is shown below is from before.';

  const KINDS = {
    unauthorized: () => {
      const refused = authorization() !== null;
      signOut();
      const text = refused ? 'That name and password, or that key, is not known here.' : 'Numbers are shown to those who have an account.'; // prettier-ignore
      box('Sign in', el('p', {}, text), signInForm(signedIn));
    },
    forbidden: ({ message }) => box('Not for this account', el('p', {}, `${capitalize(message.replace(/\.$/, ''))}. Take the filter away, or sign in as somebody else.`), unfilter(), signInForm(signedIn)), // prettier-ignore
    unavailable: (error) => box('The numbers cannot be read', el('p', {}, `${error.message} Weir goes on counting meanwhile. ${stale}`), retry()), // prettier-ignore
    offline: () => box('The server does not answer', el('p', {}, `The network or Weir’s stats is away; this page tries again every 10 seconds while Live is on. ${stale}`), retry()), // prettier-ignore
    statistic: ({ message }) => box('There is nothing of that name', el('p', {}, message), el('button', { type: 'button', on: { click: () => go({ statistic: 'pulls', measure: 'pulls' }) } }, 'Show pulls')), // prettier-ignore
    none: () => box('Nothing is counted yet', el('p', {}, 'The redis-worker has not written down any statistic. Is it running, on the same Redis and with the same REDIS_PREFIX?'), retry()), // prettier-ignore
    unexpected: (error) => box('Something went wrong', el('p', {}, error.message), retry()),
  };

  /** @param error `{kind, message}`, or undefined when all is well */
  return (error) => {
    const next = error === undefined ? undefined : `${error.kind} ${error.message} ${authorization() !== null}`;
    if (next === shown) return; // it must not be said again and again, nor a form be emptied
    if (error === undefined) element.replaceChildren();
    else (KINDS[error.kind] ?? KINDS.unexpected)(error);
    shown = error === undefined ? undefined : `${error.kind} ${error.message} ${authorization() !== null}`;
  };
}

function signInForm(signedIn) {
  const name = el('input', { name: 'username', autocomplete: 'username', autocapitalize: 'none', spellcheck: 'false' });
  const password = el('input', {
    name: 'password',
    type: 'password',
    autocomplete: 'current-password',
    required: true,
  });
  const submit = (event) => {
    event.preventDefault();
    const isKey = name.value === '';
    const isOdd = isKey && !/^[\x21-\x7e]+$/.test(password.value);
    password.setCustomValidity(isOdd ? 'A key has neither spaces nor letters outside ASCII.' : '');
    if (!password.reportValidity()) return;
    if (isKey) signInWithKey(password.value);
    else signInWithPassword(name.value, password.value);
    signedIn();
  };
  password.addEventListener('input', () => password.setCustomValidity(''));
  return el(
    'form',
    { class: 'form', on: { submit } },
    el('label', {}, 'Name (leave it empty for a key)', name),
    el('label', {}, 'Password or key', password),
    el('button', {}, 'Sign in'),
  );
}
