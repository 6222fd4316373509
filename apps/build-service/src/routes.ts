import { problem } from '@weir/service';
import express, {
  type ErrorRequestHandler,
  type Express,
  type Request,
  type RequestHandler,
  type Response,
} from 'express';
import { rm } from 'node:fs/promises';
import { dockerfileOf } from './buildah';
import { unpackContext, type ContextLimits } from './context';
import type { Jobs } from './jobs';
import type { JobRecord, Kind } from './journal';
import { authenticate, mayAccess, type Key } from './keys';
import { streamLog } from './log-stream';
import { localPlatform } from './platform';
import { isListed } from './reference';
import { invalid, Refusal, tooLarge, unavailable } from './refusal';
import { checkBuild, checkMirror, imageOf, readJson, type BuildRequest, type MirrorRequest } from './request';
import type { Tool, Tools } from './tools';
import { receiveUpload, type StoredContext, type UploadLimits } from './upload';
import { placesIn } from './workspace';

export interface RoutesOptions {
  jobs: Jobs;
  tools: Pick<Tools, 'available'>;
  log: Record<'error', (fields: object, message: string) => void>;
  keys: readonly Key[];
  /** Who asks when no key is needed. */
  anonymous?: Key;
  uploadDir: string;
  uploadLimits: UploadLimits;
  contextLimits: ContextLimits;
  /** Lists of host[:port][/path]; empty allows all. */
  targets: readonly string[];
  sources: readonly string[];
}

/** Uploads and readers of logs at one time: each holds a connection and a file. */
const UPLOADS = 16;
const READERS = 256;
const LISTED = 100;
const DRAIN_MS = 5000;

/** The HTTP API: express does the paths, everything that decides is elsewhere. */
export function createRoutes(options: RoutesOptions): Express {
  const { jobs, tools, log, uploadLimits } = options;
  const app = express().disable('x-powered-by').disable('etag').set('query parser', false);
  const uploads = slots(UPLOADS, 'uploads');
  const readers = slots(READERS, 'readers of logs');
  const json = express.raw({ type: 'application/json', limit: uploadLimits.buildBytes, inflate: false });

  app.use((request, response, next) => {
    const key = options.anonymous ?? authenticate(request.headers.authorization, options.keys);
    response.locals['key'] = key;
    if (key) return next();
    const detail = 'Give a key of BUILD_KEYS in the header Authorization: Bearer <key>.';
    problem(response, { status: 401, title: 'A key is needed', detail, headers: { 'www-authenticate': 'Bearer' } });
  });

  const builds = app.route('/builds');
  builds.post(requireTool('buildah'), json, async (request, response) => {
    const release = uploads.take();
    let context: StoredContext | undefined;
    try {
      const form = request.is('multipart/form-data')
        ? await receiveUpload(request, options.uploadDir, uploadLimits)
        : { build: jsonBody(request) };
      context = 'context' in form ? form.context : undefined;
      const field = context ? 'build' : 'body';
      const build = checkBuild(readJson(form.build, field), {
        context: context?.sha256,
        defaultPlatform: localPlatform(),
      });
      allow('image', build.image, options.targets);
      await submit(response, 'build', build, (dir) => prepareBuild(build, dir, context));
    } finally {
      release();
      if (context) await rm(context.path, { force: true });
    }
  });
  app.route('/mirrors').post(requireTool('skopeo'), json, async (request, response) => {
    const mirror = checkMirror(readJson(jsonBody(request), 'body'));
    allow('source', mirror.source, options.sources);
    allow('target', mirror.target, options.targets);
    await submit(response, 'mirror', mirror);
  });

  for (const kind of ['build', 'mirror'] as const) {
    const path = `/${kind}s`;
    app.get(path, (_request, response) => {
      const visible = jobs.list().filter((job) => job.kind === kind && mayAccess(keyOf(response), job.organization));
      response.json({ [`${kind}s`]: visible.slice(0, LISTED).map(view) });
    });
    app.get(`${path}/:id`, (request, response) => void response.json(view(find(kind, request, response))));
    app.delete(`${path}/:id`, async (request, response) => {
      response.json(view(await jobs.cancel(find(kind, request, response).id)));
    });
    app.get(`${path}/:id/log`, async (request, response) => {
      const job = find(kind, request, response);
      const release = readers.take();
      try {
        await streamLog(jobs, job, request, response);
      } finally {
        release();
      }
    });
    app.all(path, wrongMethod('GET, POST'));
    app.all(`${path}/:id`, wrongMethod('GET, DELETE'));
    app.all(`${path}/:id/log`, wrongMethod('GET'));
  }

  app.use(() => {
    throw new Refusal({ status: 404, title: 'Not found', detail: 'There are /builds and /mirrors.' });
  });
  app.use(answerErrors(log, uploadLimits));
  return app;

  async function submit(
    response: Response,
    kind: Kind,
    request: BuildRequest | MirrorRequest,
    prepare?: (dir: string) => Promise<void>,
  ): Promise<void> {
    const { job, joined } = await jobs.submit({ kind, request, key: keyOf(response), ...(prepare && { prepare }) });
    response
      .status(202)
      .location(`/${kind}s/${job.id}`)
      .json({ ...view(job), joined });
  }

  async function prepareBuild(build: BuildRequest, dir: string, context: StoredContext | undefined): Promise<void> {
    if (context) await unpackContext(context.path, placesIn(dir).context, options.contextLimits);
    await dockerfileOf(build, dir);
  }

  /** A job that is not there and one that belongs to others look the same. */
  function find(kind: Kind, request: Request, response: Response): Readonly<JobRecord> {
    const job = jobs.get(String(request.params['id']));
    if (job?.kind === kind && mayAccess(keyOf(response), job.organization)) return job;
    throw new Refusal({ status: 404, title: `There is no such ${kind}`, detail: 'It may be over and forgotten.' });
  }

  function requireTool(tool: Tool): RequestHandler {
    return async (_request, _response, next) => {
      const state = await tools.available(tool);
      if (state !== true) throw unavailable(`${tool === 'buildah' ? 'Builds' : 'Mirrors'} cannot be made here`, state);
      next();
    };
  }
}

/** What is shown of a job. Values of build arguments are not: they may be secret. */
export function view(job: Readonly<JobRecord>): object {
  const { id, kind, request, state, platforms, organization, createdAt, startedAt, finishedAt } = job;
  const { durationMs, reason, digest, bytes } = job;
  const asked =
    'image' in request
      ? { image: request.image, arguments: request.arguments.map(([name]) => name) }
      : { source: request.source, target: request.target };
  const outcome = finishedAt ? state : undefined;
  const times = { createdAt, startedAt, finishedAt, durationMs };
  return { id, kind, state, outcome, ...asked, platforms, organization, ...times, reason, digest, bytes, log: `/${kind}s/${id}/log` }; // prettier-ignore
}

function keyOf(response: Response): Key {
  return response.locals['key'] as Key;
}

function jsonBody(request: Request): Buffer {
  if (Buffer.isBuffer(request.body)) return request.body;
  const allowed = request.path === '/builds' ? 'application/json or multipart/form-data' : 'application/json';
  throw new Refusal({
    status: 415,
    title: 'The content type is not supported',
    detail: `content-type must be ${allowed}, with a body`,
    errors: [{ field: 'content-type', message: `must be ${allowed}` }],
  });
}

function allow(field: string, image: string, list: readonly string[]): void {
  if (list.length > 0 && !isListed(imageOf(image), list))
    throw invalid(field, 'is in a registry, or at a path, that this service is not configured for');
}

function slots(limit: number, what: string): { take(): () => void } {
  let taken = 0;
  return {
    take() {
      if (taken >= limit) throw unavailable('Too much at once', `There are ${limit} ${what} already.`, 5);
      taken += 1;
      return () => void (taken -= 1);
    },
  };
}

function wrongMethod(allow: string): RequestHandler {
  return (request) => {
    const detail = `${request.method} is not possible here; ${allow} is.`;
    throw new Refusal({ status: 405, title: 'Method not allowed', detail, headers: { allow } });
  };
}

/** Every error becomes a problem document; what we did not expect is told to our log, not to the caller. */
function answerErrors(log: RoutesOptions['log'], limits: UploadLimits): ErrorRequestHandler {
  return (error: unknown, request, response, next) => {
    if (response.headersSent) return next(error);
    const { document } = asRefusal(error, limits) ?? unexpected(error);
    const half = !request.complete;
    problem(response, half ? { ...document, headers: { ...document.headers, connection: 'close' } } : document);
    // A client that is still sending reads no answer: take a little more from it, then hang up.
    if (half) setTimeout(() => request.destroy(), DRAIN_MS).unref();
    if (half) request.resume();
  };

  function unexpected(error: unknown): Refusal {
    log.error({ err: error }, 'a request failed unexpectedly');
    return new Refusal({
      status: 500,
      title: 'Something went wrong here',
      detail: 'The log of the service says what.',
    });
  }
}

/** Errors of express's body reader carry a `type` and a `status` (body-parser, "Errors"). */
function asRefusal(error: unknown, limits: UploadLimits): Refusal | undefined {
  if (error instanceof Refusal) return error;
  const { type, status } = error as { type?: string; status?: number };
  if (type === 'entity.too.large') return tooLarge('body', `must be at most ${limits.buildBytes} bytes`);
  if (type === 'encoding.unsupported')
    return new Refusal({
      status: 415,
      title: 'Compressed bodies are not taken',
      detail: 'Leave out content-encoding.',
    });
  if (status === 400) return new Refusal({ status: 400, title: 'The request is not readable' });
  return undefined;
}
