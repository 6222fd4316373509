import type { IncomingHttpHeaders } from 'node:http';
import { exportJWK, generateKeyPair, SignJWT, type JWK, type KeyLike } from 'jose';
import { scriptedUpstream } from '../gateway.test-support';

export interface TestIssuer {
  url: string;
  jwksUrl: string;
  /** How often its keys were fetched. */
  fetched(): number;
  publicKey: KeyLike;
  /** A token of this issuer for `registry`, good for ten minutes, with what is given instead. */
  token(
    claims?: Record<string, unknown>,
    header?: { kid?: string | undefined; alg?: string; jku?: string },
  ): Promise<string>;
  /** From now on its tokens are signed with another key, called `kid`; the old one stays in the set. */
  rotate(kid: string): Promise<void>;
  stop(): Promise<void>;
}

/** An issuer of tokens: keys made on the spot, served over HTTP. */
export async function startIssuer(alg = 'ES256'): Promise<TestIssuer> {
  const keys: JWK[] = [];
  let signing: { kid: string; privateKey: KeyLike; publicKey: KeyLike };
  let fetched = 0;
  const rotate = async (kid: string): Promise<void> => {
    signing = { kid, ...(await generateKeyPair(alg)) };
    keys.push({ ...(await exportJWK(signing.publicKey)), kid, alg, use: 'sig' });
  };
  await rotate('first');
  const server = await scriptedUpstream((_, response) => {
    fetched += 1;
    response.setHeader('content-type', 'application/jwk-set+json').end(JSON.stringify({ keys }));
  });
  return {
    url: server.url,
    jwksUrl: `${server.url}/jwks`,
    fetched: () => fetched,
    get publicKey() {
      return signing.publicKey;
    },
    token: (claims = {}, header = {}) =>
      new SignJWT({ iss: server.url, aud: 'registry', exp: inSeconds(600), email: 'ann@org1.example', ...claims })
        .setProtectedHeader({ alg, kid: signing.kid, ...header } as { alg: string })
        .sign(signing.privateKey),
    rotate,
    stop: server.stop,
  };
}

/** Now and so many seconds, as `exp` has it. */
export const inSeconds = (seconds: number): number => Math.floor(Date.now() / 1000) + seconds;

export interface Asked {
  method: string | undefined;
  url: string | undefined;
  headers: IncomingHttpHeaders;
  body: string;
}

/** An identity endpoint that says what the test wants, and tells what it was asked. `undefined`: it never answers. */
export async function startEndpoint(
  answer: (asked: Asked) => { status?: number; headers?: Record<string, string>; body?: unknown } | undefined,
): Promise<{ url: string; asked: Asked[]; stop(): Promise<void> }> {
  const asked: Asked[] = [];
  const server = await scriptedUpstream((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { method, url, headers } = request;
      const question = { method, url, headers, body };
      asked.push(question);
      const said = answer(question);
      if (said === undefined) return;
      const { status = 200, headers: more = {}, body: content = {} } = said;
      response.writeHead(status, more).end(typeof content === 'string' ? content : JSON.stringify(content));
    });
  });
  return { ...server, asked };
}
