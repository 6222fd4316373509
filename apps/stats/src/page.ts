import { createHash } from 'node:crypto';
import { readFileSync, readdirSync } from 'node:fs';
import { extname, join } from 'node:path';
import { Router, type RequestHandler } from 'express';

const PUBLIC = join(__dirname, '../public');

/** Of the chart library what a browser needs, served beside the page's own files. */
const ASSETS = ['uPlot.iife.min.js', 'uPlot.min.css'];

const TYPES: Readonly<Record<string, string>> = {
  '.html': 'text/html; charset=utf-8',
  '.css': 'text/css; charset=utf-8',
  '.js': 'text/javascript; charset=utf-8',
  '.svg': 'image/svg+xml',
};

/**
 * Nothing from another place, no inline script or style, no HTML made of text (trusted types): a repository's name is
 * whatever somebody has asked the gateway for.
 */
const CONTENT_SECURITY_POLICY = [
  "default-src 'none'",
  "script-src 'self'",
  "style-src 'self'",
  "img-src 'self'",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
  "require-trusted-types-for 'script'",
].join('; ');

const HEADERS: Readonly<Record<string, string>> = {
  'content-security-policy': CONTENT_SECURITY_POLICY,
  'x-content-type-options': 'nosniff',
  'referrer-policy': 'no-referrer', // what is looked at stands in the page's URL
  'cross-origin-opener-policy': 'same-origin',
  'cross-origin-resource-policy': 'same-origin',
  // Asked for again each time, and not sent again while it is the same: a new version is there at once.
  'cache-control': 'no-cache',
};

interface File {
  body: Buffer;
  type: string;
  etag: string;
}

/**
 * The page that shows the numbers: `/` and the files it consists of, to whoever asks, for no number stands in them. They
 * are read once; nothing else can be had by any path, and what is not theirs is left to the routes after.
 */
export function createPage(): Router {
  const files = readFiles();
  const router = Router({ caseSensitive: true, strict: true });
  router.use(serve(files));
  return router;
}

function serve(files: ReadonlyMap<string, File>): RequestHandler {
  return (request, response, next) => {
    const file = files.get(request.path);
    if (file === undefined || (request.method !== 'GET' && request.method !== 'HEAD')) return next();
    response.set(HEADERS).set({ 'content-type': file.type, etag: file.etag });
    if (request.fresh) response.status(304).end();
    else response.send(file.body);
  };
}

function readFiles(): ReadonlyMap<string, File> {
  const files = new Map<string, File>();
  const add = (path: string, file: string) => {
    const type = TYPES[extname(file)];
    if (type !== undefined) files.set(path, readFile(file, type));
  };
  for (const name of readdirSync(PUBLIC, { recursive: true, encoding: 'utf8' })) add(`/${name}`, join(PUBLIC, name));
  for (const name of ASSETS) add(`/assets/${name}`, require.resolve(`uplot/dist/${name}`));
  add('/', join(PUBLIC, 'index.html'));
  return files;
}

function readFile(file: string, type: string): File {
  const body = readFileSync(file);
  return { body, type, etag: `"${createHash('sha256').update(body).digest('base64url')}"` };
}
