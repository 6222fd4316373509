import { backoff } from '@weir/service';
import type { RunningServer } from './parts';
import type { ProcessMark } from './processes';
import { isAlive, markOf } from './processes';

const LOOK_MS = 1_000;

/**
 * Looks after a server's processes: one that dies is reported and, where it is ours, started again at the same
 * address with the same data. `restarted` is called when its processes are others than before.
 */
export function watchServer(
  server: RunningServer,
  restarted: () => void,
  notice: (text: string) => void,
): { stop(): void } {
  const waits = backoff({ initialMs: 500, maxMs: 15_000 });
  let marks = marksOf(server);
  let stopped = false;
  let timer: NodeJS.Timeout | undefined;

  const look = async (): Promise<void> => {
    const dead = marks.length > 0 && !marks.every(isAlive);
    if (!dead) return next(LOOK_MS);
    if (!server.restart) {
      notice(`${server.what} has ended; it is not ours to start again`);
      return;
    }
    notice(`${server.what} has ended; starting it again`);
    try {
      await server.restart();
      marks = marksOf(server);
      restarted();
      waits.reset();
      notice(`${server.what} runs again`);
      next(LOOK_MS);
    } catch (error) {
      notice(`${server.what} could not be started again: ${(error as Error).message}`);
      next(waits.next());
    }
  };
  const next = (ms: number): void => {
    if (!stopped) timer = setTimeout(() => void look(), ms);
  };
  next(LOOK_MS);
  return {
    stop() {
      stopped = true;
      clearTimeout(timer);
    },
  };
}

function marksOf(server: RunningServer): ProcessMark[] {
  return server.pids().flatMap((pid) => markOf(pid) ?? []);
}
