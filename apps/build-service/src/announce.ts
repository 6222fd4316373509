import { createEvent, type WeirEvent } from '@weir/events';
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
