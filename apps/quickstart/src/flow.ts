/** Messages that wait in the broker. */
export interface Waiting {
  /** By worker. */
  queues: Record<string, number>;
  /** Parked events, of all workers together. */
  deadLetters: number;
}

/** What flows at one moment. */
export interface Flow {
  /** Events per second that publishers have handed over in the last few seconds; undefined on the first look. */
  eventsPerSecond: number | undefined;
  /** What waits in the broker; undefined while it cannot be asked. */
  waiting: Waiting | undefined;
  /** Events that wait on publishers' disks for the broker. */
  spooled: number;
  /** Processes that do not run just now. */
  down: string[];
}

/** An app that puts events on the bus: where its metrics are. */
export interface PublisherSource {
  name: string;
  metricsUrl: string;
}

/** As libs/bus names them. */
const PUBLISHED = 'weir_publisher_events_total';
const SPOOLED = 'weir_spool_events';

/** Looks that the rate is taken over. */
const SMOOTHED_OVER = 6;

/** Looks at everything that can tell of the flow; each look says how much has gone by since the one before. */
export function flowMeter(
  publishers: readonly PublisherSource[],
  waiting: () => Promise<Waiting | undefined>,
  down: () => string[],
): () => Promise<Flow> {
  const before = new Map<string, number>();
  const steps: { at: number; events: number }[] = [];
  return async () => {
    const [samples, inBroker] = await Promise.all([
      Promise.all(publishers.map(async ({ name, metricsUrl }) => ({ name, values: await samplesOf(metricsUrl) }))),
      waiting(),
    ]);
    let events = 0;
    let spooled = 0;
    for (const { name, values } of samples) {
      spooled += values.get(SPOOLED) ?? 0;
      const total = values.get(PUBLISHED) ?? 0;
      // A counter that is smaller than before is that of a process that was started again.
      const known = before.get(name) ?? total;
      events += total < known ? total : total - known;
      before.set(name, total);
    }
    steps.push({ at: performance.now(), events });
    if (steps.length > SMOOTHED_OVER) steps.shift();
    const eventsPerSecond = rateOf(steps);
    return { eventsPerSecond, waiting: inBroker, spooled, down: down() };
  };
}

/** The first step only says since when: what it brought came before. */
function rateOf(steps: readonly { at: number; events: number }[]): number | undefined {
  const [first, last] = [steps[0], steps.at(-1)];
  if (!first || !last || first === last) return undefined;
  const events = steps.slice(1).reduce((sum, step) => sum + step.events, 0);
  return events / ((last.at - first.at) / 1000);
}

/** One line: `12.0 events/s │ waiting: redis 0, influx 3, mongo 0 │ dead letters 0`. */
export function flowLine(flow: Flow): string {
  const rate = flow.eventsPerSecond;
  const parts = [rate === undefined ? '… events/s' : `${rate.toFixed(rate < 100 ? 1 : 0)} events/s`];
  if (flow.waiting) {
    const queues = Object.entries(flow.waiting.queues).map(([worker, depth]) => `${worker} ${depth}`);
    parts.push(`waiting: ${queues.join(', ')}`, `dead letters ${flow.waiting.deadLetters}`);
  } else {
    parts.push('RabbitMQ does not answer');
  }
  if (flow.spooled > 0) parts.push(`on disk ${flow.spooled}`);
  if (flow.down.length > 0) parts.push(`down: ${flow.down.join(', ')}`);
  return parts.join(' │ ');
}

/** A sample of the Prometheus text format: its name and value; labels are summed over. */
type Samples = Map<string, number>;

/** Sums the samples of each name. @see https://prometheus.io/docs/instrumenting/exposition_formats/ */
export function parseMetrics(text: string): Samples {
  const samples: Samples = new Map();
  for (const line of text.split('\n')) {
    const match = /^([a-zA-Z_:][\w:]*)(?:\{.*\})? (\S+)/.exec(line);
    const value = Number(match?.[2]);
    if (match?.[1] && Number.isFinite(value)) samples.set(match[1], (samples.get(match[1]) ?? 0) + value);
  }
  return samples;
}

async function samplesOf(url: string): Promise<Samples> {
  try {
    const response = await fetch(url, { signal: AbortSignal.timeout(2_000) });
    return parseMetrics(await response.text());
  } catch {
    return new Map();
  }
}
