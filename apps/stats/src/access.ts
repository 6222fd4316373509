import { organizationOf } from '@weir/events';
import type { RequestHandler, Response } from 'express';
import { readerOf, type Account, type Reader } from './accounts';

/** Lets through whom the request's credentials name; {@link readerIn} tells who it is. `refuse` answers all others. */
export function accountNeeded(accounts: readonly Account[], refuse: (response: Response) => void): RequestHandler {
  return ({ headers: { authorization } }, response, next) => {
    const reader = readerOf(authorization, accounts);
    if (reader === undefined) return refuse(response);
    response.locals['reader'] = reader;
    next();
  };
}

/** Who asks, behind {@link accountNeeded}. */
export function readerIn(response: Response): Reader {
  return response.locals['reader'] as Reader;
}

/** What was asked for is not for this reader. */
export class ForbiddenError extends Error {}

/**
 * The organization that may be answered about: what was asked for, or a scoped reader's own, which may be asked for in
 * any of its spellings.
 *
 * @throws ForbiddenError when another one than the reader's own is asked for
 */
export function organizationFor(reader: Reader, asked: string | undefined): string | undefined {
  if (reader.organization === undefined || asked === undefined) return reader.organization ?? asked;
  if (canonical(asked) === reader.organization) return asked;
  throw new ForbiddenError(`only the numbers of ${reader.organization} may be read with these credentials`);
}

/** An organization's name as it is counted. */
export function canonical(organization: string): string {
  return organizationOf({ data: { user: { organization } } }) ?? organization;
}
