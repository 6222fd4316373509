import { Counter, Gauge, Histogram, type Registry } from 'prom-client';
import type { JobRecord } from './journal';

/** Counts jobs for /metrics. */
export function jobMetrics(registry: Registry, depth: () => { queued: number; running: number }) {
  const registers = [registry];
  new Gauge({
    name: 'weir_jobs', help: 'Builds and mirrors by state', labelNames: ['state'], registers,
    collect() {
      const { queued, running } = depth();
      this.set({ state: 'queued' }, queued);
      this.set({ state: 'running' }, running);
    },
  }); // prettier-ignore
  const ended = new Counter({
    name: 'weir_jobs_ended_total', help: 'Builds and mirrors that ended', labelNames: ['kind', 'outcome'], registers,
  }); // prettier-ignore
  const duration = new Histogram({
    name: 'weir_job_duration_seconds', help: 'How long builds and mirrors ran', labelNames: ['kind'], registers,
    buckets: [1, 3, 10, 30, 60, 180, 600, 1800, 3600],
  }); // prettier-ignore
  return {
    ended({ kind, state, durationMs = 0 }: Readonly<JobRecord>): void {
      ended.inc({ kind, outcome: state });
      duration.observe({ kind }, durationMs / 1000);
    },
  };
}
