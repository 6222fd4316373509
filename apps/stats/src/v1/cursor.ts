import { createHash } from 'node:crypto';
import type { Question } from '@weir/usage';
import { ParametersError } from './mistakes';

/**
 * Where a page begins: how many rows there were before it, and of which question, so that a page never belongs to
 * another one. Opaque to clients.
 */
export function formatCursor(skip: number, question: Question, compare: string | undefined): string {
  return Buffer.from(`${skip}.${fingerprint(question, compare)}`).toString('base64url');
}

/** @throws ParametersError for what is no cursor of this question */
export function cursorOf(text: string, question: Question, compare: string | undefined): number {
  const [, skip, of] = /^(\d{1,15})\.([\w-]+)$/.exec(Buffer.from(text, 'base64url').toString('latin1')) ?? [];
  if (skip !== undefined && of === fingerprint(question, compare)) return Number(skip);
  const allowed = 'the cursor of an answer, with all other parameters as they stand in its next';
  throw new ParametersError([{ parameter: 'cursor', message: 'is not of this question', allowed }]);
}

function fingerprint(question: Question, compare: string | undefined): string {
  const { statistic, measure, from, to, interval, by, filters, top, weekdays, fill } = question;
  const sorted = Object.entries(filters).sort(([a], [b]) => (a < b ? -1 : 1));
  const text = JSON.stringify([statistic, measure, from, to, interval, by, sorted, top, weekdays, fill, compare]);
  return createHash('sha256').update(text).digest('base64url').slice(0, 16);
}
