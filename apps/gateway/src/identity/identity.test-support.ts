import pino from 'pino';
import { Registry } from 'prom-client';
import { createMetrics } from '../metrics';
import { createIdentity, type Identity } from './identity';
import { identitySection } from './identity-file';

export interface TestIdentity extends Identity {
  /** Lets the clock go on by so many milliseconds. */
  pass(ms: number): void;
  /** Questions by way and outcome: `{"jwt organization": 1}`. */
  counted(): Promise<Record<string, number>>;
  logged(): string;
  close(): Promise<void>;
}

/** An identity as a rules file has it, with a clock that goes on only when it is told to. */
export function testIdentity(section: unknown, clientSecret?: string): TestIdentity {
  const registry = new Registry();
  const lines: string[] = [];
  let now = 0;
  const identity = createIdentity(identitySection.parse(section), {
    metrics: createMetrics([registry], () => ({ answers: 0, visits: 0, checks: 0, downloads: 0 })),
    log: pino({ level: 'trace' }, { write: (line: string) => void lines.push(line) }),
    now: () => now,
    clientSecret,
  });
  return {
    ...identity,
    pass: (ms) => void (now += ms),
    async counted() {
      const metric = await registry.getSingleMetric('weir_gateway_identity_questions_total')?.get();
      return Object.fromEntries(
        (metric?.values ?? []).map(({ labels, value }) => [`${labels['way']} ${labels['outcome']}`, value]),
      );
    },
    logged: () => lines.join(''),
  };
}
