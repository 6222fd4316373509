import type { App } from '@weir/testing';

/** Memory and descriptors of the apps while they are used hard (F62: slopes near zero). */
export interface ResourceWatch {
  /** Ends it: a line for each app, with sizes and slopes over its longest life, and the apps that plainly leak. */
  stop(): { lines: string[]; leaks: string[] };
}

interface Sample {
  minutes: number;
  rssBytes: number;
  descriptors: number;
}

const SAMPLE_MS = 2_000;
/** A process grows while it warms up; that is no leak. */
const WARM_UP_MINUTES = 0.5;
/** Slopes beyond these, over so long, are a leak; shorter ones are what an outage leaves for a while. */
const LEAK = { minutes: 4, mibPerMinute: 30, descriptorsPerMinute: 10 };

export function createResourceWatch(apps: readonly App[]): ResourceWatch {
  const begun = performance.now();
  /** One list for each life of a process. */
  const lives = new Map<string, Sample[]>();
  const timer = setInterval(() => {
    for (const app of apps) {
      const found = app.resources();
      if (!found || app.pid === undefined) continue;
      const life = `${app.name} ${app.pid}`;
      lives.set(life, [...(lives.get(life) ?? []), { minutes: (performance.now() - begun) / 60_000, ...found }]);
    }
  }, SAMPLE_MS);

  const longestLife = (app: App): Sample[] => {
    const own = [...lives].filter(([life]) => life.startsWith(`${app.name} `)).map(([, samples]) => samples);
    const [longest = []] = own.sort((a, b) => b.length - a.length);
    return longest.filter(({ minutes }) => minutes >= (longest[0]?.minutes ?? 0) + WARM_UP_MINUTES);
  };

  return {
    stop() {
      clearInterval(timer);
      const lines: string[] = [];
      const leaks: string[] = [];
      for (const app of apps) {
        const samples = longestLife(app);
        const [first, last] = [samples[0], samples.at(-1)];
        if (!first || !last || samples.length < 10) {
          lines.push(`${app.name}: never lived long enough to be measured`);
          continue;
        }
        const minutes = last.minutes - first.minutes;
        const grows = slope(samples.map((each) => [each.minutes, each.rssBytes / 2 ** 20]));
        const opens = slope(samples.map((each) => [each.minutes, each.descriptors]));
        lines.push(
          `${app.name}: ${(last.rssBytes / 2 ** 20).toFixed(0)} MiB (${signed(grows)} MiB/min), ` +
            `${last.descriptors} descriptors (${signed(opens)}/min) over ${minutes.toFixed(1)} min`,
        );
        if (minutes >= LEAK.minutes && (grows > LEAK.mibPerMinute || opens > LEAK.descriptorsPerMinute))
          leaks.push(app.name);
      }
      return { lines, leaks };
    },
  };
}

/** Of the straight line that fits best (least squares). */
function slope(points: readonly (readonly [x: number, y: number])[]): number {
  const mean = (values: readonly number[]) => values.reduce((sum, value) => sum + value, 0) / values.length;
  const [x, y] = [mean(points.map(([each]) => each)), mean(points.map(([, each]) => each))];
  const above = points.reduce((sum, [px, py]) => sum + (px - x) * (py - y), 0);
  const below = points.reduce((sum, [px]) => sum + (px - x) ** 2, 0);
  return below === 0 ? 0 : above / below;
}

const signed = (value: number) => `${value < 0 ? '' : '+'}${value.toFixed(2)}`;
