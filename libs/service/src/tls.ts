import { readFileSync } from 'node:fs';
import { X509Certificate } from 'node:crypto';
import { z } from 'zod';
import { variable, type Variables } from './config';

/**
 * Node's own variables for the certificates of servers, which hold for every client in the process: `amqps://`,
 * `rediss://`, `https://`, `mongodb://…?tls=true` and the gateway's upstreams. Node reads them before any of our code
 * runs; here they are only checked, for Node says nothing, or goes on without.
 */
export const tlsVariables = {
  NODE_EXTRA_CA_CERTS: variable(z.string().superRefine(holdsCertificates).optional(), {
    description:
      'PEM file with the certificates of authorities that sign those of the servers, beside the well-known ones: for amqps, rediss, https and mongodb with tls=true.',
    example: '/etc/weir/tls/ca.crt',
  }),
  NODE_TLS_REJECT_UNAUTHORIZED: variable(
    z
      .string()
      .refine(
        (value) => value !== '0',
        'must not be 0: without verified certificates anybody on the way can read and change everything. Name the authority of the servers in NODE_EXTRA_CA_CERTS instead',
      )
      .optional(),
    { description: 'Not to be set to 0: the certificates of servers are always verified.' },
  ),
} satisfies Variables;

function holdsCertificates(
  path: string,
  context: { addIssue(issue: { code: 'custom'; message: string }): void },
): void {
  const say = (message: string) => context.addIssue({ code: 'custom', message });
  let pem: string;
  try {
    pem = readFileSync(path, 'utf8');
  } catch (error) {
    return say(`the file cannot be read (${(error as NodeJS.ErrnoException).code})`);
  }
  try {
    new X509Certificate(pem);
  } catch {
    say('the file holds no certificate in PEM: -----BEGIN CERTIFICATE-----');
  }
}

/** Codes and words of OpenSSL and Node for one thing, and what a person can do about it. */
const REASONS: readonly (readonly [codes: RegExp, reason: string])[] = [
  [
    /CERT_HAS_EXPIRED|certificate has expired/,
    'its TLS certificate has expired: renew it, or set the clock of this machine right',
  ],
  [
    /CERT_NOT_YET_VALID|certificate is not yet valid/,
    'its TLS certificate is not valid yet: set the clock of this machine right',
  ],
  [
    /ERR_TLS_CERT_ALTNAME_INVALID|does not match certificate's altnames/,
    'its TLS certificate is for another host: use a host name in the URL that the certificate has, or give the server a certificate with this one',
  ],
  [
    /SELF_SIGNED|UNABLE_TO_(VERIFY|GET)|CERT_UNTRUSTED|INVALID_CA|CERT_SIGNATURE_FAILURE|self[- ]signed certificate|unable to (verify|get)( the)? (first|local )?(issuer )?certificate/,
    'its TLS certificate is signed by nobody whom this process trusts: name a PEM file with the certificate of the authority in NODE_EXTRA_CA_CERTS',
  ],
  [
    /ERR_SSL_(WRONG_VERSION_NUMBER|PACKET_LENGTH_TOO_LONG)|wrong version number|packet length too long/,
    'it does not speak TLS on this port: use its port for TLS, or the scheme without TLS in the URL',
  ],
];

/**
 * Why a server's TLS is refused, in words for a person: what is wrong and what to do, without host or credentials.
 * Undefined for an error that is about something else. Looks at an error, its causes, and a MongoDB driver's.
 */
export function explainTls(error: unknown): string | undefined {
  for (let [at, depth]: [unknown, number] = [error, 0]; at instanceof Error && depth < 5; depth += 1) {
    const { code, message, cause } = at as Error & { code?: unknown };
    const said = `${typeof code === 'string' ? code : ''} ${message}`;
    const found = REASONS.find(([words]) => words.test(said));
    if (found) return found[1];
    at = cause;
  }
  return undefined;
}
