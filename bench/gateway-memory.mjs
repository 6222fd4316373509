/**
 * How much memory the gateway takes when everybody pulls something else.
 *
 *   npm run build && node bench/gateway-memory.mjs [--requests 1000000] [--images 100000] [--sources 100000]
 *
 * A gateway process of its own, without a broker (events go to its spool), before a scripted upstream in this process
 * that has as many images as are asked for. Clients do what docker and containerd do: HEAD of a tag, GET of what it
 * stands for, every fifth by way of an index, then a layer in two ranges, every fourth pull without layers; every
 * seventh is a mere HEAD. Each dance is of another image and another source (address and user agent). Prints the
 * resident memory over time; after the first quarter, the warm-up, it has to stay below the limit and flat.
 */
import { spawn } from 'node:child_process';
import { createHash } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { mkdtemp, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import { createRequire } from 'node:module';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import process from 'node:process';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';
import { parseArgs } from 'node:util';

const root = fileURLToPath(new URL('..', import.meta.url));
const require = createRequire(join(root, 'apps/gateway/package.json'));
const { Pool } = require('undici');

const { values } = parseArgs({
  options: {
    requests: { type: 'string', default: '1000000' },
    images: { type: 'string', default: '100000' },
    sources: { type: 'string', default: '100000' },
    clients: { type: 'string', default: '32' },
  },
});
const [REQUESTS, IMAGES, SOURCES, CLIENTS] = ['requests', 'images', 'sources', 'clients'].map((name) =>
  Number(values[name]),
);
const LIMIT_MB = 150;
/** What memory may grow by after the warm-up and still be called flat. */
const FLAT = 0.1;

const OCI = 'application/vnd.oci.image';
const digestOf = (body) => `sha256:${createHash('sha256').update(body).digest('hex')}`;

/** Image `n`: five layers of its own and a configuration; every fifth is behind an index of two platforms. */
function imageOf(n, architecture = 'amd64') {
  const config = Buffer.from(JSON.stringify({ os: 'linux', architecture, n, config: { Labels: { n: String(n) } } }));
  const layers = Array.from({ length: 5 }, (_, layer) => ({
    mediaType: `${OCI}.layer.v1.tar+gzip`,
    digest: digestOf(`${n} ${architecture} ${layer}`),
    size: 1_000_000,
  }));
  const body = Buffer.from(
    JSON.stringify({
      schemaVersion: 2,
      mediaType: `${OCI}.manifest.v1+json`,
      config: { mediaType: `${OCI}.config.v1+json`, digest: digestOf(config), size: config.length },
      layers,
    }),
  );
  return { mediaType: `${OCI}.manifest.v1+json`, body, digest: digestOf(body), config, layers, architecture };
}

function indexOf(n) {
  const images = ['amd64', 'arm64'].map((architecture) => imageOf(n, architecture));
  const manifests = images.map(({ mediaType, digest, body, architecture }) => ({
    mediaType,
    digest,
    size: body.length,
    platform: { os: 'linux', architecture },
  }));
  const mediaType = `${OCI}.index.v1+json`;
  const body = Buffer.from(JSON.stringify({ schemaVersion: 2, mediaType, manifests }));
  return { mediaType, body, digest: digestOf(body), images };
}

const isIndex = (n) => n % 5 === 0;

function answerOf(url) {
  const [, number, kind, reference] = /^\/v2\/bench\/image-(\d+)\/(manifests|blobs)\/(.+)$/.exec(url) ?? [];
  if (number === undefined) return undefined;
  const n = Number(number);
  const index = isIndex(n) ? indexOf(n) : undefined;
  const images = index?.images ?? [imageOf(n)];
  if (kind === 'blobs') {
    const image = images.find(({ config }) => digestOf(config) === reference);
    return image && { mediaType: 'application/octet-stream', body: image.config, digest: reference };
  }
  const top = index ?? images[0];
  return reference === 'latest' ? top : [top, ...images].find(({ digest }) => digest === reference);
}

const upstream = createServer((request, response) => {
  const found = answerOf(request.url ?? '');
  if (found === undefined) return void response.writeHead(404).end();
  response.writeHead(200, {
    'content-type': found.mediaType,
    'content-length': found.body.length,
    'docker-content-digest': found.digest,
  });
  response.end(request.method === 'HEAD' ? undefined : found.body);
});
await new Promise((resolve) => upstream.listen(0, '127.0.0.1', resolve));

const dir = await mkdtemp(join(tmpdir(), 'weir-bench-'));
const gateway = spawn(process.execPath, [join(root, 'apps/gateway/dist/main.js')], {
  env: {
    PATH: process.env.PATH,
    GATEWAY_PORT: '0',
    ADMIN_PORT: '0',
    UPSTREAM: `http://127.0.0.1:${upstream.address().port}`,
    AMQP_URL: 'amqp://127.0.0.1:9',
    SPOOL_DIR: join(dir, 'spool'),
    TRUSTED_PROXIES: '1',
    LOG_LEVEL: 'info',
  },
  stdio: ['ignore', 'pipe', 'inherit'],
});
const ended = new Promise((resolve) => gateway.once('exit', resolve));

try {
  const port = await portOf(gateway);
  const pool = new Pool(`http://127.0.0.1:${port}`, { connections: CLIENTS });
  const began = Date.now();
  const samples = [{ requests: 0, rssMB: memoryOf(gateway.pid) }];
  process.stdout.write(`${JSON.stringify(samples[0])}\n`);
  let sent = 0;
  let dances = 0;
  let refused = 0;

  const ask = async (method, path, n, headers = {}) => {
    sent += 1;
    const source = n % SOURCES;
    const answer = await pool.request({
      method,
      path: `/v2/bench/image-${n % IMAGES}/${path}`,
      headers: {
        'user-agent': `${source % 2 ? 'docker/27.1.1' : 'containerd/1.7.12'} node-${source}`,
        'x-forwarded-for': `10.${(source >> 16) & 255}.${(source >> 8) & 255}.${source & 255}`,
        accept: `${OCI}.index.v1+json, ${OCI}.manifest.v1+json`,
        ...headers,
      },
    });
    await answer.body.dump();
    if (answer.statusCode >= 400) refused += 1;
  };

  const dance = async (n) => {
    const image = n % IMAGES;
    await ask('HEAD', 'manifests/latest', n);
    if (n % 7 === 0) return;
    const index = isIndex(image) ? indexOf(image) : undefined;
    const chosen = index?.images[n % 2] ?? imageOf(image);
    if (index) await ask('GET', `manifests/${index.digest}`, n);
    await ask('GET', `manifests/${chosen.digest}`, n);
    if (n % 4 === 0) return;
    for (const range of ['bytes=0-499999', 'bytes=500000-999999'])
      await ask('GET', `blobs/${chosen.layers[0].digest}`, n, { range });
  };

  const every = Math.max(Math.floor(REQUESTS / 20), 1);
  let next = every;
  const client = async () => {
    while (sent < REQUESTS) {
      await dance(dances++);
      if (sent < next) continue;
      next += every;
      const rssMB = memoryOf(gateway.pid);
      samples.push({ requests: sent, rssMB });
      process.stdout.write(
        `${JSON.stringify({ requests: sent, seconds: Math.round((Date.now() - began) / 1000), rssMB })}\n`,
      );
    }
  };
  await Promise.all(Array.from({ length: CLIENTS }, client));
  await pool.close();

  const warm = samples.filter(({ requests }) => requests > REQUESTS / 4).map(({ rssMB }) => rssMB);
  const half = Math.floor(warm.length / 2);
  const mean = (list) => list.reduce((sum, value) => sum + value, 0) / list.length;
  const growth = mean(warm.slice(half)) / mean(warm.slice(0, half)) - 1;
  const max = Math.max(...warm);
  const ok = refused === 0 && max <= LIMIT_MB && growth <= FLAT;
  process.stdout.write(
    `${JSON.stringify({
      requests: sent,
      images: Math.min(IMAGES, dances),
      sources: Math.min(SOURCES, dances),
      requestsPerSecond: Math.round(sent / ((Date.now() - began) / 1000)),
      refused,
      maxRssMB: max,
      growth: Math.round(growth * 1000) / 1000,
      limitMB: LIMIT_MB,
      ok,
    })}\n`,
  );
  process.exitCode = ok ? 0 : 1;
} finally {
  gateway.kill('SIGTERM');
  await ended;
  upstream.close();
  upstream.closeAllConnections();
  await rm(dir, { recursive: true, force: true });
}

/** The port that the gateway says it listens on. */
async function portOf({ stdout }) {
  for await (const line of createInterface({ input: stdout })) {
    const said = JSON.parse(line);
    if (said.msg !== 'gateway listens') continue;
    stdout.resume(); // whatever else it says
    return said.port;
  }
  throw new Error('the gateway did not start');
}

/** Resident memory of a process, in millions of bytes. */
function memoryOf(pid) {
  const kibibytes = /^VmRSS:\s+(\d+) kB$/m.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
  return Math.round((Number(kibibytes) * 1024) / 1e5) / 10;
}
