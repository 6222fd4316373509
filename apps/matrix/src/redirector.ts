import type { Login } from './clients/client';
import { hasLogin, serve, type HttpServer } from './http-server';

/**
 * A stand-in for a registry that keeps its content at another host, as hosted ones do: whoever has logged in is sent
 * there with a 307, for manifests and for blobs. It has nothing itself.
 */
export function startRedirector(storage: string, login: Login): Promise<HttpServer> {
  return serve((request, response) => {
    const path = request.url ?? '/';
    if (!hasLogin(request.headers.authorization, login)) {
      const body = '{"errors":[{"code":"UNAUTHORIZED","message":"authentication required"}]}';
      const headers = { 'www-authenticate': 'Basic realm="elsewhere"', 'content-type': 'application/json' };
      return void response.writeHead(401, headers).end(body);
    }
    if (path === '/v2/') return void response.writeHead(200, { 'content-type': 'application/json' }).end('{}');
    response.writeHead(307, { location: `${storage}${path}` }).end();
  });
}
