import type { Problem } from '@weir/events';
import { secondsToNextHour } from './organizations';

/** Nothing is wrong with an event, but this key may never send it, or may not send it now. */
export type RefusedAs = 'forbidden' | 'limited';

/** What became of one item of a request. */
export type Outcome = { line?: number | undefined } & (
  | { taken: 'confirmed' | 'spooled'; id: string; source: string; bytes: number }
  | { problems: Problem[]; refused?: RefusedAs }
  /** Nothing is wrong with the event, but neither the broker nor the disk has it. */
  | { notTaken: string; id: string; source: string }
);

export interface Answer {
  status: number;
  headers: Record<string, string>;
  body: object;
}

/** How long a client is asked to wait when the spool refuses, seconds: long enough for a drain to make room. */
const RETRY_AFTER_SECONDS = 30;
/** A thousand events may have twenty problems each; the answer stays readable. */
const MAX_ERRORS = 1000;

/**
 * 202 when something was accepted; 503 when something could not be kept, so that the client sends that again (its id is
 * in the answer: with it, nothing is counted twice); 400, 403 or 429 when nothing was accepted.
 */
export function answerOf(kind: 'one' | 'many', outcomes: readonly Outcome[], now: Date): Answer {
  const notTaken = outcomes.filter((outcome) => 'notTaken' in outcome);
  const taken = outcomes.filter((outcome) => 'taken' in outcome);
  if (notTaken[0]) return unavailable(notTaken[0].notTaken, notTaken.length, outcomes);
  if (taken.length === 0) return refused(kind, outcomes, now);
  const [first] = taken;
  if (kind === 'one' && first) return accepted({ id: first.id, source: first.source, status: first.taken });
  const results = outcomes.map(resultOf);
  return accepted({ accepted: taken.length, refused: outcomes.length - taken.length, results });
}

function accepted(body: object): Answer {
  return { status: 202, headers: { 'content-type': 'application/json' }, body };
}

function unavailable(reason: string, count: number, outcomes: readonly Outcome[]): Answer {
  return problem(503, {
    title: 'The events cannot be kept',
    detail:
      `${count} of ${outcomes.length} not taken. ${reason}. Send them again after Retry-After, under the ids given ` +
      'in results, so that none is counted twice.',
    results: outcomes.map(resultOf),
    headers: { 'retry-after': String(RETRY_AFTER_SECONDS) },
  });
}

function refused(kind: 'one' | 'many', outcomes: readonly Outcome[], now: Date): Answer {
  const errors = outcomes.flatMap((outcome, index) =>
    'problems' in outcome
      ? outcome.problems.map((each) => (kind === 'one' ? each : placed(each, index, outcome.line)))
      : [],
  );
  const [first] = outcomes;
  const why = first && 'refused' in first && outcomes.every((each) => isRefused(each, first.refused));
  const { status, title } = REFUSALS[(why && first.refused) || 'invalid'];
  const what = kind === 'one' ? 'The event was' : `None of ${outcomes.length} events was`;
  const cut = errors.length > MAX_ERRORS ? ` The first ${MAX_ERRORS} of ${errors.length} problems are listed.` : '';
  return problem(status, {
    title,
    headers: status === 429 ? { 'retry-after': String(secondsToNextHour(now)) } : {},
    detail: `${what} accepted; errors names each field and what is allowed there.${cut}`,
    errors: errors.slice(0, MAX_ERRORS),
  });
}

interface Refusal {
  title: string;
  detail: string;
  headers?: Record<string, string>;
  errors?: readonly Problem[];
  /** An extension member (RFC 9457, 3.2): what became of each item. */
  results?: readonly object[];
}

function problem(status: number, { headers, ...members }: Refusal): Answer {
  const body = { type: 'about:blank', status, ...members };
  return { status, headers: { 'content-type': 'application/problem+json', ...headers }, body };
}

/** Without a line, `line` is undefined, which JSON leaves out. */
function resultOf(outcome: Outcome, index: number): object {
  const { line } = outcome;
  if ('taken' in outcome) return { index, line, id: outcome.id, source: outcome.source, status: outcome.taken };
  if ('notTaken' in outcome) {
    const { id, source } = outcome;
    return { index, line, id, source, problem: { status: 503, title: 'Not taken', detail: outcome.notTaken } };
  }
  return { index, line, problem: { ...REFUSALS[outcome.refused ?? 'invalid'], errors: outcome.problems } };
}

const REFUSALS = {
  invalid: { status: 400, title: 'Not a valid event' },
  forbidden: { status: 403, title: 'Not allowed with this key' },
  limited: { status: 429, title: 'Too much from this key' },
} as const;

function isRefused(outcome: Outcome, how: RefusedAs | undefined): boolean {
  return 'refused' in outcome && outcome.refused === how;
}

function placed({ field, message }: Problem, index: number, line: number | undefined): Problem {
  if (line !== undefined) return { field: field === '' ? `line ${line}` : `line ${line}: ${field}`, message };
  return { field: field === '' ? `[${index}]` : `[${index}].${field}`, message };
}
