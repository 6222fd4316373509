import { ApiError } from './api.js';
import { el, setAttribute, setText } from './dom.js';

/** What concerns the whole page, and is said once above it. */
const OF_THE_PAGE = ['offline', 'unauthorized', 'forbidden', 'unavailable'];

let made = 0;

/**
 * A part of the page with a heading: it asks its questions, and shows their answers, that there is nothing, or why it
 * cannot be known. What it showed before stays until there is something newer.
 *
 * @param tools elements beside the heading
 * @param content elements that `draw` fills
 * @param plan (view) → the paths to ask, by name, or `{obstacle}`: why there is nothing to ask
 * @param draw (answers, view) → undefined, or in words that there is nothing
 */
export function createPanel({ title, className = '', tools = [], content, plan, draw }) {
  const id = `panel-${(made += 1)}`;
  const heading = el('h2', { id }, title);
  const body = el('div', { class: 'body', hidden: true }, content);
  const message = el('p', { class: 'empty' }, 'Loading…');
  const marks = el('p', { class: 'marks', hidden: true });
  const element = el(
    'section',
    { class: `panel ${className}`, 'aria-labelledby': id, 'aria-busy': true },
    el('header', {}, heading, ...tools),
    body,
    message,
    marks,
  );
  let asked;
  let run = 0;

  const show = (text) => {
    body.hidden = text !== undefined;
    message.hidden = text === undefined;
    if (text !== undefined) setText(message, text);
  };

  /** @returns the error that concerns the whole page, or undefined */
  async function refresh(view) {
    const mine = (run += 1);
    const { obstacle, ...paths } = plan(view);
    const question = JSON.stringify(paths);
    setAttribute(element, 'aria-busy', obstacle === undefined && question !== asked);
    try {
      const named = obstacle === undefined ? Object.entries(paths) : [];
      const answers = await Promise.all(named.map(([, path]) => view.api.ask(path)));
      if (mine !== run) return undefined; // something else has been asked meanwhile
      const nothing = obstacle ?? draw(Object.fromEntries(named.map(([name], at) => [name, answers[at]])), view, body);
      show(nothing);
      showMarks(marks, obstacle === undefined ? answers : []);
      asked = question;
      setAttribute(element, 'aria-busy', false);
      return undefined;
    } catch (error) {
      if (mine !== run) return undefined;
      setAttribute(element, 'aria-busy', false);
      if (!(error instanceof ApiError)) throw error;
      if (question !== asked) show(OF_THE_PAGE.includes(error.kind) ? 'Not known at the moment.' : sentenceOf(error));
      asked = OF_THE_PAGE.includes(error.kind) && question === asked ? asked : undefined;
      return OF_THE_PAGE.includes(error.kind) ? error : undefined;
    }
  }

  return { element, heading, refresh };
}

function sentenceOf({ message, errors }) {
  return [message, ...errors.map((each) => `${each.parameter ?? each.field}: ${each.message}`)].join(' ');
}

/** What must be known beside a number: each is said in words. */
function showMarks(marks, answers) {
  const some = (test) => answers.some((answer) => answer && test(answer));
  const words = [
    some(({ complete }) => complete === false) && 'Incomplete: there are gaps in this range.',
    some(({ state }) => state === 'filling') && 'Still being filled from the history: the numbers will grow.',
    some(({ failures }) => failures > 0) && 'Some events could not be counted; see Health of the flow.',
  ].filter(Boolean);
  marks.hidden = words.length === 0;
  setText(marks, words.join(' '));
}
