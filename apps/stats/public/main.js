import { ApiError, createApi } from './api.js';
import { setAttribute, setText } from './dom.js';
import { createFilters } from './filters.js';
import { formatSecond } from './format.js';
import { createLive } from './live.js';
import { chosenMeasure, measuresOf } from './measures.js';
import { createNotice } from './notice.js';
import { createBreakdowns } from './panels/breakdowns.js';
import { createHealth } from './panels/health.js';
import { createOutcomes } from './panels/outcomes.js';
import { createTime } from './panels/time.js';
import { createTotals } from './panels/totals.js';
import { createUniques } from './panels/uniques.js';
import { createRanges } from './ranges.js';
import { authorization, signOut } from './session.js';
import { createState } from './state.js';

const find = (id) => document.getElementById(id);
const api = createApi();
const state = createState(() => void refresh());
const again = () => void refresh();

const showRange = createRanges(find('ranges'), state.go);
const showFilters = createFilters(find('filters'), state.get, state.go);
const notify = createNotice(find('notice'), { again, signedIn, getState: state.get, go: state.go });
const planLive = createLive(find('live'), {
  isOn: () => state.get().live,
  isWanted: () => !signedOut,
  toggle,
  refresh,
});

const totals = createTotals();
const time = createTime((words) => setText(find('summary'), words));
const breakdownsOf = createBreakdowns();
const last = [createUniques(), createOutcomes(), createHealth()];
let dimensions = [];
let shown;
let signedOut = false;

/** Asks for everything that is on the page, and shows it. What has not changed is not touched. */
async function refresh() {
  const now = state.get();
  showRange(now);
  showFilters(now, dimensions);
  planLive();
  setAttribute(find('content'), 'aria-busy', String(now !== shown));
  const error = await show(now).catch((failure) => {
    if (failure instanceof ApiError) return failure;
    throw failure;
  });
  if (now !== state.get()) return; // the next one is under way
  shown = now;
  setAttribute(find('content'), 'aria-busy', 'false');
  signedOut = error?.kind === 'unauthorized';
  find('panels').hidden = signedOut;
  find('sign-out').hidden = authorization() === null;
  notify(error);
  if (error === undefined) setText(find('updated'), `As of ${formatSecond(Date.now())} UTC.`);
}

/** @returns what keeps the numbers away, or undefined */
async function show(now) {
  const { statistics: descriptions } = await api.ask('v1/statistics');
  if (now !== state.get()) return undefined;
  const measures = measuresOf(descriptions);
  if (measures.length === 0) return { kind: 'none', message: '' };
  const chosen = chosenMeasure(measures, now);
  if (chosen === undefined) return { kind: 'statistic', message: `${now.statistic}: ${now.measure ?? ''}` };
  dimensions = Object.keys(chosen.description.dimensions);
  showFilters(now, dimensions);
  const panels = [totals, time, ...breakdownsOf(chosen), ...last];
  place(panels);
  const view = { api, state: now, descriptions, measures, chosen, go: state.go };
  const errors = await Promise.all(panels.map((panel) => panel.refresh(view)));
  // What one account may not see elsewhere is said there.
  return errors.find((error) => error && error.kind !== 'forbidden') ?? errors[panels.indexOf(time)];
}

/** Puts the panels onto the page in their order; those that stand there already are not moved. */
function place(panels) {
  const parent = find('panels');
  const elements = panels.map(({ element }) => element);
  const there = [...parent.children];
  if (there.length === elements.length && there.every((element, at) => element === elements[at])) return;
  const focused = document.activeElement;
  parent.replaceChildren(...elements);
  if (focused?.isConnected) focused.focus({ preventScroll: true });
}

function signedIn() {
  api.forget();
  void refresh();
}

function toggle() {
  state.go({ live: !state.get().live });
}

find('sign-out').addEventListener('click', () => {
  signOut();
  location.reload();
});

void refresh();
