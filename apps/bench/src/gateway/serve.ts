/**
 * Servers that the gateway is measured beside, each as a process of its own: `node serve.js bare|express|upstream PORT`.
 * The first two redirect everything and count nothing; the last is the registry behind the gateway.
 */
import { createServer, type RequestListener } from 'node:http';
import express from 'express';
import { benchImages } from './images';

const ELSEWHERE = 'http://registry.example.com';

const bare: RequestListener = (request, response) => {
  response.writeHead(307, { location: `${ELSEWHERE}${request.url}`, 'content-length': 0 });
  response.end();
};

function upstream(): RequestListener {
  const contents = new Map(benchImages().flatMap((image) => [...image.contents]));
  return (request, response) => {
    const found = contents.get(request.url ?? '');
    if (found === undefined) return void response.writeHead(404).end();
    const { mediaType, body, digest } = found;
    response.writeHead(200, {
      'content-type': mediaType,
      'content-length': body.length,
      'docker-content-digest': digest,
    });
    response.end(request.method === 'HEAD' ? undefined : body);
  };
}

const listeners: Readonly<Record<string, () => RequestListener>> = {
  bare: () => bare,
  express: () => express().use((request, response) => response.redirect(307, `${ELSEWHERE}${request.url}`)),
  upstream,
};

const [what = '', port = ''] = process.argv.slice(2);
const listener = listeners[what];
if (listener === undefined) throw new Error(`${what} is none of ${Object.keys(listeners).join(', ')}`);
const server = createServer(listener());
server.keepAliveTimeout = 65_000;
server.listen(Number(port), '127.0.0.1');
