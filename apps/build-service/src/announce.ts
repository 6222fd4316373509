import { createEvent, type WeirEvent } from '@weir/events';
import { backoff } from '@weir/service';
import { setTimeout as delay } from 'node:timers/promises';
import type { JobRecord } from './journal';
import type { BuildRequest, MirrorRequest } from './request';
import { imageOf } from './request';

/** The `source` of every event of this app. It is constant: (source, id) must be the same after a restart. */
export const SOURCE = 'weir/build-service';

/** The image that a job pushes. */
export function targetOf({ kind, request }: Pick<JobRecord, 'kind' | 'request'>): string {
  return kind === 'build' ? (request as BuildRequest).image : (request as MirrorRequest).target;
}

/**
 * `io.weir.build` or `io.weir.mirror`: the job was accepted. Made from the record alone, so that saying it again after
 * a crash says the same thing under the same identity.
 */
export function launchEvent(job: JobRecord): WeirEvent {
  return createEvent(`io.weir.${job.kind}`, about(job), {
    source: SOURCE, id: job.id, time: new Date(job.createdAt), subject: targetOf(job),
  }); // prettier-ignore
}

/** `io.weir.build.finished` or `io.weir.mirror.finished`: the job ended, one way or another. */
export function finishedEvent(job: JobRecord): WeirEvent {
  const { kind, state: outcome, durationMs, bytes, digest, finishedAt } = job;
  const data = { ...about(job), outcome, durationMs, ...(bytes !== undefined && { bytes }), ...(digest && { digest }) };
  return createEvent(`io.weir.${kind}.finished`, data, {
    source: SOURCE, id: `${job.id}-finished`, time: new Date(finishedAt ?? job.createdAt), subject: targetOf(job),
  }); // prettier-ignore
}

function about(job: JobRecord): object {
  const { registry, repository, tag } = imageOf(targetOf(job));
  const { platforms, organization } = job;
  return {
    repository,
    tag,
    registry,
    ...(platforms.length === 1 && { platform: platforms[0] }),
    ...(platforms.length > 1 && { platforms }),
    ...(organization && { user: { organization } }),
    ...(job.kind === 'mirror' && { origin: (job.request as MirrorRequest).source }),
  };
}

export interface AnnouncerOptions {
  publisher: { publish(event: WeirEvent): Promise<unknown> };
  /** Stores the record; never rejects. */
  save(record: JobRecord): Promise<void>;
  log: Record<'error', (fields: object, message: string) => void>;
  closing: AbortSignal;
}

/** Says what is not yet said of a job, and keeps at it until it is said: the journal is the spool of the spool. */
export interface Announcer {
  announce(job: JobRecord): void;
  /** Resolves when nothing is under way. Once `closing` has aborted, each event has one more try at most. */
  settled(): Promise<void>;
}

export function createAnnouncer({ publisher, save, log, closing }: AnnouncerOptions): Announcer {
  const underWay = new Map<string, Promise<void>>();

  async function say(job: JobRecord): Promise<void> {
    if (job.announced === 'nothing') {
      await publisher.publish(launchEvent(job));
      job.announced = 'launch';
    }
    if (job.finishedAt && job.announced === 'launch') {
      await publisher.publish(finishedEvent(job));
      job.announced = 'finish';
    }
    await save(job);
  }

  async function keepSaying(job: JobRecord): Promise<void> {
    const waits = backoff({ initialMs: 500, maxMs: 30_000 });
    for (;;) {
      try {
        return await say(job);
      } catch (error) {
        log.error({ err: error, job: job.id }, 'an event could not be recorded: it stays in the journal');
        if (closing.aborted) return; // what is not said now, the next process says
        await delay(waits.next(), undefined, { signal: closing }).catch(() => {});
      }
    }
  }

  return {
    announce(job) {
      // One after the other for each job: two at once would both find the launch unsaid.
      const saying = (underWay.get(job.id) ?? Promise.resolve())
        .then(() => keepSaying(job))
        .finally(() => {
          if (underWay.get(job.id) === saying) underWay.delete(job.id);
        });
      underWay.set(job.id, saying);
    },
    async settled() {
      while (underWay.size > 0) await Promise.all(underWay.values());
    },
  };
}
