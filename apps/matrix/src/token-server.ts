import { randomUUID } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createAuthority } from '@weir/testing';
import { importPKCS8, SignJWT } from 'jose';
import type { Login } from './clients/client';
import { command } from './command';
import { hasLogin, serve, type HttpServer } from './http-server';

/** Gives out bearer tokens for a registry: the matrix' own, for Debian has none. */
export interface TokenServer extends HttpServer {
  /** What a registry must be told to take its tokens. */
  registrySettings: readonly string[];
}

const SERVICE = 'matrix-registry';
const ISSUER = 'matrix-token-server';
const LIFETIME_SECONDS = 300;

/** Speaks "Token Authentication Specification" of the distribution project: GET with Basic, one scope a repository. */
export async function startTokenServer(dir: string, login: Login): Promise<TokenServer> {
  const { certFile, keyFile } = await createAuthority(dir, 'tokens');
  const key = await importPKCS8(await command('openssl', ['pkcs8', '-topk8', '-nocrypt', '-in', keyFile]), 'ES256');
  const certificate = (await readFile(certFile, 'utf8')).replaceAll(/-----[^-]+-----|\s/g, '');

  const tokenFor = (subject: string, scopes: readonly string[]): Promise<string> =>
    new SignJWT({ access: scopes.flatMap(accessTo), jti: randomUUID() })
      .setProtectedHeader({ alg: 'ES256', typ: 'JWT', x5c: [certificate] })
      .setIssuer(ISSUER)
      .setAudience(SERVICE)
      .setSubject(subject)
      .setIssuedAt()
      .setNotBefore('-10s')
      .setExpirationTime(`${LIFETIME_SECONDS}s`)
      .sign(key);

  const server = await serve((request, response) => {
    const { pathname, searchParams } = new URL(request.url ?? '/', 'http://tokens');
    const answer = (status: number, body: object): void =>
      void response.writeHead(status, { 'content-type': 'application/json' }).end(JSON.stringify(body));
    // Clients that try the newer POST first go on with GET after this.
    if (request.method !== 'GET' || pathname !== '/token') return answer(404, {});
    if (!hasLogin(request.headers.authorization, login))
      return answer(401, { details: 'incorrect username or password' });
    tokenFor(
      login.user,
      searchParams.getAll('scope').flatMap((scopes) => scopes.split(' ')),
    ).then(
      (token) => answer(200, { token, access_token: token, expires_in: LIFETIME_SECONDS }),
      (error: unknown) => answer(500, { details: String(error) }),
    );
  });
  return {
    ...server,
    registrySettings: [
      'auth:',
      '  token:',
      `    realm: ${server.url}/token`,
      `    service: ${SERVICE}`,
      `    issuer: ${ISSUER}`,
      `    rootcertbundle: "${certFile}"`,
    ],
  };
}

/** `repository:team/app:pull,push`: reading is all that is ever granted. */
function accessTo(scope: string): object[] {
  const match = /^repository:([a-z0-9._/-]+):/.exec(scope);
  return match ? [{ type: 'repository', name: match[1], actions: ['pull'] }] : [];
}
