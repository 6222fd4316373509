import type { RequestHandler } from 'express';

/**
 * Lets the pages of these origins ask and read the answers (the Fetch standard, CORS). Credentials are headers that such
 * a page sets itself: cookies are not taken and nothing is sent unasked.
 */
export function cors(origins: readonly string[]): RequestHandler {
  const allowed = new Set(origins);
  return (request, response, next) => {
    response.vary('origin');
    const { origin } = request.headers;
    if (origin === undefined || !allowed.has(origin)) return next();
    response.set({
      'access-control-allow-origin': origin,
      'access-control-expose-headers': 'Link, ETag, Retry-After, Weir-Total, Weir-Other, Weir-Anonymous, Weir-Complete',
    });
    if (request.method !== 'OPTIONS' || request.headers['access-control-request-method'] === undefined) return next();
    response.set({
      'access-control-allow-methods': 'GET, HEAD',
      'access-control-allow-headers': 'Authorization, Accept, If-None-Match',
      'access-control-max-age': '600',
    });
    response.status(204).end();
  };
}
