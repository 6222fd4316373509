import { newId, type WeirEvent } from '@weir/events';
import { stat } from 'node:fs/promises';
import { createAnnouncer, launchEvent, targetOf } from './announce';
import { endStrays } from './command';
import { createJobLog, readFrom, type JobLog } from './job-log';
import type { JobRecord, Journal, Kind, Outcome } from './journal';
import { mayAccess, type Key } from './keys';
import { Refusal, unavailable } from './refusal';
import { difference, type BuildRequest, type MirrorRequest } from './request';
import { clearWorkspace, placesIn } from './workspace';

/** Carries out one kind of job. */
export interface Runner {
  /** Which platforms the job is for, found out before its launch; [] when that cannot be known. Never rejects. */
  platforms(request: BuildRequest | MirrorRequest, dir: string): Promise<readonly string[]>;
  /** Rejects with a JobFailure, or with the signal's reason when that ended it. */
  run(job: Readonly<JobRecord>, dir: string, log: JobLog, signal: AbortSignal): Promise<Result>;
}

/** What a job came to: see the fields of the same name in JobRecord. */
export interface Result {
  digest: string;
  bytes?: number;
}

/** A job that did not succeed for a reason that its owner may read. */
export class JobFailure extends Error {
  override name = 'JobFailure';
}

export interface JobsOptions {
  journal: Journal;
  /** `publish` resolves when the broker or the spool has the event. */
  publisher: { publish(event: WeirEvent): Promise<unknown> };
  runners: Readonly<Record<Kind, Runner>>;
  log: Record<'info' | 'warn' | 'error', (fields: object, message: string) => void>;
  /** Jobs that run at once, and jobs that may wait for that. */
  concurrency: number;
  queueLimit: number;
  /** Finished jobs that are remembered. */
  historyLimit: number;
  timeoutMs: number;
  logBytes: number;
  /** Called when a job has ended. */
  onEnd?: (job: Readonly<JobRecord>) => void;
}

export interface Submission {
  kind: Kind;
  request: BuildRequest | MirrorRequest;
  key: Key;
  /** Puts what the job needs into its new directory; may refuse. */
  prepare?: (dir: string) => Promise<void>;
}

/**
 * All jobs of this process, from acceptance to the forgetting of their outcome.
 *
 * Accepting a job is its launch: when `submit` resolves, its record is on disk and its launch event with the broker or
 * in the spool. Every accepted job has one finished event, whatever happens to it or to this process; both events have
 * ids derived from the job's, so that announcing again after a crash announces the same.
 */
export interface Jobs {
  /** @throws Refusal when the job is not accepted. */
  submit(submission: Submission): Promise<{ job: Readonly<JobRecord>; joined: boolean }>;
  get(id: string): Readonly<JobRecord> | undefined;
  /** Newest first. */
  list(): Readonly<JobRecord>[];
  /** Resolves with the job when it has ended. @throws Refusal when it had already ended otherwise. */
  cancel(id: string): Promise<Readonly<JobRecord>>;
  /** The log's bytes from an offset on, and as they come while the job is not over. */
  followLog(id: string, from: number, signal: AbortSignal): AsyncGenerator<Buffer>;
  /** Takes up what an earlier process left: to be called once, before anything else. */
  recover(): Promise<void>;
  depth(): { queued: number; running: number };
  /** Ends what runs (as failed), keeps what waits for the next process; resolves when all of it is announced. */
  close(): Promise<void>;
}

interface Job {
  record: JobRecord;
  log?: JobLog;
  ending: AbortController;
  accepted: Promise<void>;
  ended: Promise<void>;
  markEnded: () => void;
}

/** Why a job is ended from outside: the reason of its abort signal. */
class Ending extends Error {
  constructor(
    readonly outcome: Outcome,
    message: string,
  ) {
    super(message);
  }
}

const INTERRUPTED = 'interrupted by a restart of the build service; ask for it again';

export function createJobs(options: JobsOptions): Jobs {
  const { journal, publisher, runners, log, concurrency, queueLimit, historyLimit, timeoutMs, logBytes } = options;
  const jobs = new Map<string, Job>(); // oldest first
  const active = new Map<string, Job>(); // by target: accepted or about to be, and not ended
  const queue: Job[] = [];
  const running = new Set<Job>();
  const closing = new AbortController();
  const announcer = createAnnouncer({ publisher, save, log, closing: closing.signal });

  async function submit({ kind, request, key, prepare }: Submission): ReturnType<Jobs['submit']> {
    const target = targetOf({ kind, request });
    const present = active.get(target);
    if (present) {
      refuseUnlessSame(present.record, { kind, request, key });
      await present.accepted;
      return { job: present.record, joined: true };
    }
    if (closing.signal.aborted) throw unavailable('The build service is stopping', 'Ask again in a moment.', 5);
    if (active.size >= concurrency + queueLimit)
      throw unavailable('The queue is full', `${queueLimit} jobs are waiting: ask again later.`);

    const { organization } = key;
    const job = adopt({
      id: newId(), kind, request, key: key.name, ...(organization && { organization }), platforms: [],
      state: 'queued', createdAt: new Date().toISOString(), announced: 'nothing',
    }); // prettier-ignore
    active.set(target, job);
    job.accepted = accept(job, prepare);
    job.accepted.catch(() => {}); // joiners see it too, when there are any
    await job.accepted;
    return { job: job.record, joined: false };
  }

  /** The order matters: on disk, then announced, then acknowledged. */
  async function accept(job: Job, prepare: Submission['prepare']): Promise<void> {
    const { record } = job;
    try {
      const dir = await journal.create(record.id);
      await prepare?.(dir);
      record.platforms = await runners[record.kind].platforms(record.request, dir);
      await journal.write(record);
      await publisher.publish(launchEvent(record));
    } catch (error) {
      active.delete(targetOf(record));
      await clearWorkspace(journal.dirOf(record.id)).catch(() => {});
      await journal.remove(record.id).catch(() => {});
      if (error instanceof Refusal) throw error;
      log.error({ err: error, job: record.id }, 'job not accepted');
      throw unavailable(
        'The job cannot be recorded',
        'Nothing was started: neither the job nor its event could be stored.',
      );
    }
    jobs.set(record.id, job);
    record.announced = 'launch';
    await save(record);
    log.info({ job: record.id, kind: record.kind, target: targetOf(record), key: record.key }, 'job accepted');
    enqueue(job);
  }

  function enqueue(job: Job): void {
    job.log = createJobLog(placesIn(journal.dirOf(job.record.id)).log, logBytes);
    queue.push(job);
    pump();
  }

  function pump(): void {
    while (running.size < concurrency && !closing.signal.aborted) {
      const job = queue.shift();
      if (!job) return;
      running.add(job);
      void execute(job).finally(() => {
        running.delete(job);
        pump();
      });
    }
  }

  async function execute(job: Job): Promise<void> {
    const { record, ending } = job;
    const dir = journal.dirOf(record.id);
    record.state = 'running';
    record.startedAt = new Date().toISOString();
    const seconds = timeoutMs / 1000;
    const timer = setTimeout(() => ending.abort(new Ending('timed-out', `not done after ${seconds} s`)), timeoutMs);
    let end: Partial<JobRecord> & { state: Outcome };
    try {
      await journal.write(record);
      const result = await runners[record.kind].run(record, dir, job.log as JobLog, ending.signal);
      end = { state: 'succeeded', ...result };
    } catch (error) {
      end = judge(error, ending.signal);
      if (end.reason === UNEXPECTED) log.error({ err: error, job: record.id }, 'job failed unexpectedly');
    } finally {
      clearTimeout(timer);
    }
    await endStrays(record.id, dir);
    await finish(job, end);
  }

  async function finish(job: Job, end: Partial<JobRecord> & { state: Outcome }): Promise<void> {
    const { record } = job;
    const now = Date.now();
    const durationMs = record.startedAt ? Math.max(0, now - Date.parse(record.startedAt)) : 0;
    Object.assign(record, { durationMs, finishedAt: new Date(now).toISOString(), ...end });
    if ('arguments' in record.request) {
      // They may be secret and are of no use any more.
      record.request = { ...record.request, arguments: record.request.arguments.map(([name]) => [name, '']) };
    }
    job.log?.write(`--- ${record.state}${record.reason ? `: ${record.reason}` : ''}\n`);
    await job.log?.end();
    await save(record);
    await clearWorkspace(journal.dirOf(record.id)).catch((error: unknown) =>
      log.error({ err: error, job: record.id }, 'the work space of a job could not be cleared'),
    );
    active.delete(targetOf(record));
    announcer.announce(record);
    options.onEnd?.(record);
    log.info({ job: record.id, outcome: record.state, durationMs: record.durationMs }, 'job ended');
    job.markEnded();
    forgetOldest();
  }

  async function cancel(id: string): Promise<Readonly<JobRecord>> {
    const job = jobs.get(id);
    if (!job) throw new Refusal({ status: 404, title: 'There is no such job' });
    const { record } = job;
    if (record.finishedAt && record.state !== 'cancelled')
      throw new Refusal({ status: 409, title: 'The job is over', detail: `It has ended before: ${record.state}.` });
    const place = queue.indexOf(job);
    const reason = 'cancelled on request';
    if (place >= 0) {
      queue.splice(place, 1);
      await finish(job, { state: 'cancelled', reason });
    } else job.ending.abort(new Ending('cancelled', reason));
    await job.ended;
    return record;
  }

  async function recover(): Promise<void> {
    const { records, unreadable } = await journal.load();
    for (const id of unreadable)
      log.error({ job: id }, 'the record of a job cannot be read: kept as job.json.unreadable');
    for (const record of records) {
      const job = adopt(record);
      jobs.set(record.id, job);
      if (record.finishedAt) {
        if (record.announced !== 'finish') announcer.announce(record);
        job.markEnded();
        continue;
      }
      active.set(targetOf(record), job);
      if (record.state === 'running') await bury(job);
      else {
        if (record.announced === 'nothing') announcer.announce(record);
        enqueue(job);
      }
    }
    forgetOldest();
  }

  /** A job that was running when its process died: what is left of it is ended before it is said to have failed. */
  async function bury(job: Job): Promise<void> {
    const { record } = job;
    const dir = journal.dirOf(record.id);
    const strays = await endStrays(record.id, dir);
    if (strays > 0) log.warn({ job: record.id, strays }, 'ended processes that outlived the service');
    job.log = createJobLog(placesIn(dir).log, logBytes);
    // How long it ran is not known: until its last sign of life, which is at least that long.
    const started = Date.parse(record.startedAt ?? record.createdAt);
    const sign = (await stat(placesIn(dir).log).catch(() => undefined))?.mtimeMs ?? started;
    await finish(job, { state: 'failed', reason: INTERRUPTED, durationMs: Math.max(0, Math.round(sign - started)) });
  }

  function forgetOldest(): void {
    const over = [...jobs.values()].filter(({ record }) => record.announced === 'finish');
    for (const { record } of over.slice(0, Math.max(0, over.length - historyLimit))) {
      jobs.delete(record.id);
      journal.remove(record.id).catch((error: unknown) => log.error({ err: error, job: record.id }, 'not removed'));
    }
  }

  async function save(record: JobRecord): Promise<void> {
    await journal.write(record).catch((error: unknown) => {
      // What memory knows goes on. A restart would take the older record, whose events have the same identities.
      log.error({ err: error, job: record.id }, 'the record of a job could not be written');
    });
  }

  return {
    submit,
    cancel,
    recover,
    get: (id) => jobs.get(id)?.record,
    list: () => [...jobs.values()].map(({ record }) => record).reverse(),
    followLog(id, from, signal) {
      const job = jobs.get(id);
      if (job?.log && !job.record.finishedAt) return job.log.follow(from, signal);
      return readFrom(placesIn(journal.dirOf(id)).log, from);
    },
    depth: () => ({ queued: active.size - running.size, running: running.size }),
    async close() {
      closing.abort();
      const accepting = [...active.values()].map(({ accepted }) => accepted.catch(() => {}));
      const ends = [...running].map(({ ended, ending }) => {
        ending.abort(new Ending('failed', INTERRUPTED));
        return ended;
      });
      await Promise.all([...accepting, ...ends]);
      await announcer.settled();
      await Promise.all(queue.map((job) => job.log?.end()));
    },
  };
}

function adopt(record: JobRecord): Job {
  let markEnded = (): void => {};
  const ended = new Promise<void>((resolve) => {
    markEnded = resolve;
  });
  return { record, ending: new AbortController(), accepted: Promise.resolve(), ended, markEnded };
}

/** @throws Refusal (409) unless the same thing is asked for again by somebody who may see the job. */
function refuseUnlessSame(present: JobRecord, asked: Submission): void {
  const field = asked.kind === 'build' ? 'image' : 'target';
  const conflict = (errorField: string, message: string): Refusal =>
    new Refusal({
      status: 409,
      title: 'The target is taken',
      detail: `${targetOf(asked)} is being pushed by another job: ${errorField} ${message}`,
      errors: [{ field: errorField, message }],
    });
  if (!mayAccess(asked.key, present.organization)) throw conflict(field, 'is in use; try again later');
  if (present.kind !== asked.kind) throw conflict(field, `is being pushed by ${present.kind} ${present.id}`);
  const differs = difference(present.request, asked.request);
  if (differs) throw conflict(differs, `is another than that of ${present.kind} ${present.id}, which is not over yet`);
}

const UNEXPECTED = 'the build service could not carry it out; its own log says why';

function judge(error: unknown, signal: AbortSignal): { state: Outcome; reason: string } {
  if (signal.reason instanceof Ending && (error === signal.reason || signal.aborted))
    return { state: signal.reason.outcome, reason: signal.reason.message };
  return { state: 'failed', reason: error instanceof JobFailure ? error.message : UNEXPECTED };
}
