import type { ServerResponse } from 'node:http';
import type { UpstreamError } from './upstream';

/** An answer of the gateway's own, in the registry's error shape (distribution specification, "Error Codes"). */
export interface Refusal {
  status: number;
  code: string;
  message: string;
  detail?: Record<string, unknown>;
  headers?: Record<string, string>;
}

/** `{"errors":[{"code","message","detail"}]}`: what every registry client can show to a person. */
export function refuse(response: ServerResponse, { status, code, message, detail = {}, headers }: Refusal): void {
  const body = `${JSON.stringify({ errors: [{ code, message, detail }] })}\n`;
  response.writeHead(status, {
    'content-type': 'application/json',
    'content-length': Buffer.byteLength(body),
    'cache-control': 'no-store',
    'x-content-type-options': 'nosniff',
    'docker-distribution-api-version': 'registry/2.0',
    ...headers,
  });
  response.end(body);
}

/** No answer from upstream: 504 when it was slow, 502 otherwise. The upstream is named, its address is not. */
export function upstreamRefusal({ reason, message }: UpstreamError, upstream: string): Refusal {
  return { status: reason === 'timeout' ? 504 : 502, code: 'UNAVAILABLE', message, detail: { upstream } };
}
