import { ApiError } from './api.js';
import { el, setAttribute, setText, syncChildren } from './dom.js';
import { marksOf } from './marks.js';

/** What concerns the whole page, and is said once above it. */
const OF_THE_PAGE = ['offline', 'unauthorized', 'unavailable'];

let made = 0;

/**
 * A part of the page with a heading: it asks its questions, and shows their answers, that there is nothing, or why it
 * cannot be known. What it showed before stays until there is something newer.
 *
 * @param tools elements beside the heading
 * @param content elements that `draw` fills
 * @param plan (view) → the paths to ask, by name, or `{obstacle}`: why there is nothing to ask; `optional` are paths that
 *   this account may not ask, or that are not kept: their answers are undefined then
 * @param draw (answers, view) → undefined, or in words that there is nothing
 */
export function createPanel({ title, className = '', tools = [], content, plan, draw }) {
  const id = `panel-${(made += 1)}`;
  const heading = el('h2', { id }, title);
  const body = el('div', { class: 'body', hidden: true }, content);
  const message = el('p', { class: 'empty' }, 'Loading…');
  const marks = el('ul', { class: 'marks', 'aria-label': 'Marks', hidden: true });
  const element = el(
    'section',
    { class: `panel ${className}`, 'aria-labelledby': id, 'aria-busy': 'true' },
    el('header', {}, heading, marks, ...tools),
    body,
    message,
  );
  let asked;
  let run = 0;

  const show = (text) => {
    body.hidden = text !== undefined;
    message.hidden = text === undefined;
    if (text !== undefined) setText(message, text);
  };

  /** @returns the error that there was, if it concerns more than this panel */
  async function refresh(view) {
    const mine = (run += 1);
    const { obstacle, ...questions } = plan(view);
    const question = JSON.stringify([obstacle, questions]);
    setAttribute(element, 'aria-busy', String(question !== asked));
    try {
      const answers = obstacle === undefined ? await askAll(view.api, questions) : {};
      if (mine !== run) return undefined; // something else has been asked meanwhile
      show(obstacle ?? draw(answers, view, body));
      showMarks(marks, Object.values(answers));
      asked = question;
      return undefined;
    } catch (error) {
      if (mine !== run) return undefined;
      if (!(error instanceof ApiError)) throw error;
      const ofThePage = OF_THE_PAGE.includes(error.kind);
      if (question !== asked || !ofThePage) show(ofThePage ? 'Not known at the moment.' : sentenceOf(error));
      return ofThePage || error.kind === 'forbidden' ? error : undefined;
    } finally {
      if (mine === run) setAttribute(element, 'aria-busy', 'false');
    }
  }

  return { element, heading, refresh };
}

async function askAll(api, { optional = {}, ...needed }) {
  const answers = {};
  const ask = async ([name, path]) => (answers[name] = await api.ask(path));
  const askOptional = (each) =>
    ask(each).catch((error) => {
      if (error.kind !== 'forbidden' && error.kind !== 'question') throw error;
    });
  await Promise.all([...Object.entries(needed).map(ask), ...Object.entries(optional).map(askOptional)]);
  return answers;
}

function sentenceOf({ message, errors }) {
  return [message, ...errors.map((each) => `${each.parameter ?? each.field}: ${each.message}`)].join(' ');
}

function showMarks(list, answers) {
  const shown = new Map(answers.flatMap((answer) => (answer ? marksOf(answer) : [])));
  list.hidden = shown.size === 0;
  syncChildren(list, [...shown], {
    key: ([word]) => word,
    create: ([word, title]) => el('li', { title }, word),
    update: () => {},
  });
}
