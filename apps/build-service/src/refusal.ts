import type { ProblemDocument } from '@weir/service';

/** A request that is not carried out; carries the problem document (RFC 9457) that says why. */
export class Refusal extends Error {
  override name = 'Refusal';

  constructor(readonly document: ProblemDocument) {
    super(document.detail ?? document.title);
  }
}

/** One wrong field: status 400. */
export function invalid(field: string, message: string): Refusal {
  return invalidFields([{ field, message }]);
}

/** Several wrong fields in one answer. */
export function invalidFields(errors: readonly { field: string; message: string }[]): Refusal {
  const detail = errors.map(({ field, message }) => `${field} ${message}`).join('; ');
  return new Refusal({ status: 400, title: 'The request is not valid', detail, errors });
}

/** More than a limit allows: status 413. */
export function tooLarge(field: string, message: string): Refusal {
  return new Refusal({
    status: 413,
    title: 'The request is too large',
    detail: `${field} ${message}`,
    errors: [{ field, message }],
  });
}

/** Not now, perhaps later: status 503 with Retry-After. */
export function unavailable(title: string, detail: string, retryAfterSeconds = 30): Refusal {
  return new Refusal({ status: 503, title, detail, headers: { 'retry-after': String(retryAfterSeconds) } });
}
