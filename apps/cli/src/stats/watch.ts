import { setTimeout as pause } from 'node:timers/promises';
import { clean, CliError, exitCodes, print, type Io } from '../io';
import { widthOf, wrapped } from './layout';

/** The other screen of the terminal, which leaves what stands on this one alone; and the place of the first letter. */
const SCREEN = {
  other: '\u001b[?1049h\u001b[?25l',
  back: '\u001b[?25h\u001b[?1049l',
  home: '\u001b[H',
  rest: '\u001b[J',
  line: '\u001b[K',
};

/**
 * Shows the same again and again until Ctrl-C: on a terminal in place, and at last once more where it stays. A server
 * that does not answer is an error the first time; later it is told, and asked again.
 */
export async function watchOnScreen(io: Io, seconds: number, frame: () => Promise<string>): Promise<void> {
  let last = await frame();
  if (io.env['TERM'] === 'dumb') return watchLines(io, seconds, frame, last);
  io.stdout.write(SCREEN.other);
  try {
    await repeat(io, seconds, async (told) => {
      const shown = told === undefined ? last : [...wrapped(told, widthOf(io)), last].join('\n');
      await print(io.stdout, `${SCREEN.home}${fit(io, shown)}${SCREEN.rest}`);
    }, async () => void (last = await frame())); // prettier-ignore
  } finally {
    io.stdout.write(SCREEN.back);
  }
  await print(io.stdout, last);
}

/** A line each time. */
export async function watchLines(io: Io, seconds: number, line: () => Promise<string>, first?: string): Promise<void> {
  let last = first ?? (await line());
  await repeat(io, seconds, async (told) => {
    if (told === undefined) await print(io.stdout, last);
    else io.stderr.write(`weir: ${told}\n`);
  }, async () => void (last = await line())); // prettier-ignore
}

/** @param told why there is nothing new */
async function repeat(
  io: Io,
  seconds: number,
  show: (told?: string) => Promise<void>,
  ask: () => Promise<void>,
): Promise<void> {
  let told: string | undefined;
  for (;;) {
    await show(told);
    await pause(seconds * 1000, undefined, { signal: io.signal }).catch(() => {});
    if (io.signal.aborted || io.stdout.destroyed) return;
    told = await ask().then(() => undefined, unanswered);
    if (io.signal.aborted) return;
  }
}

function unanswered(error: unknown): string {
  if (error instanceof CliError && error.exitCode === exitCodes.unavailable) return clean(error.message, 500);
  throw error;
}

/** As many lines as the screen has, none longer than it is wide, so that nothing of it scrolls away. */
function fit(io: Io, text: string): string {
  const lines = text.split('\n');
  const height = Math.max((io.stdout.rows ?? 24) - 1, 2);
  const shown =
    lines.length <= height ? lines : [...lines.slice(0, height - 1), `… ${lines.length - height + 1} lines more`];
  return shown.map((line) => `${line}${SCREEN.line}`).join('\n');
}
