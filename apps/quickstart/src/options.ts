import { parseArgs } from 'node:util';
import { StartError } from '@weir/service';

/** What was asked for on the command line. */
export interface Options {
  /** Return when everything is ready, and leave it running until `npm stop`. */
  detach: boolean;
  /** Add a local registry with a few images, and a small stream of real pulls, builds, mirrors and events. */
  demo: boolean;
  /** Install missing packages without asking. */
  yes: boolean;
  /** Only say what the flags are. */
  help: boolean;
}

export const usage = `npm start [-- flags]     start RabbitMQ, Redis, InfluxDB, MongoDB and every app of Weir; Ctrl-C ends them
  --detach               return when everything is ready; npm stop takes it down
  --demo                 add a local registry, and a small marked stream of real pulls, builds, mirrors and events
  --yes                  install missing packages without asking
npm stop                 take down what runs
`;

/** Reads the flags. @throws StartError for one that there is not. */
export function readOptions(args: readonly string[]): Options {
  try {
    const off = { type: 'boolean', default: false } as const;
    const { values } = parseArgs({
      args: [...args],
      options: { detach: off, demo: off, yes: off, help: off },
      strict: true,
    });
    return { detach: values.detach, demo: values.demo, yes: values.yes, help: values.help };
  } catch (error) {
    const [what] = (error as Error).message.split('. ');
    throw new StartError(`${what}. The flags are:\n${usage}`);
  }
}
