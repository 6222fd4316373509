/**
 * MongoDB's `failCommand` fail point, by which the drivers' own tests make a server fail on purpose:
 * `{ configureFailPoint: 'failCommand', mode: { times: 1 }, data: { failCommands: ['insert'], errorCode: 189 } }`
 * https://github.com/mongodb/mongo/wiki/The-%22failCommand%22-fail-point
 */
import { CommandError } from './errors';
import { object, whole } from './fields';
import type { Document } from './wire';

/** What becomes of a command: it is refused, or done without the durability asked for, or its connection is cut. */
export interface Failure {
  readonly errorCode?: number;
  readonly writeConcernError?: Document;
  readonly closeConnection?: boolean;
}

export interface FailPoint {
  configure(body: Document): Document;
  /** How this command is to fail, if it is; counts it. */
  take(command: string): Failure | undefined;
}

export function createFailPoint(): FailPoint {
  let commands: string[] = [];
  let failure: Failure = {};
  let left = 0;

  return {
    configure(body) {
      if (body['configureFailPoint'] !== 'failCommand')
        throw new CommandError(2, "the only fail point here is 'failCommand'");
      const { mode } = body;
      const data = object(body, 'data');
      const asked = data['failCommands'];
      commands = Array.isArray(asked) ? asked.map(String) : [];
      failure = data as Failure;
      left = mode === 'off' ? 0 : mode === 'alwaysOn' ? Infinity : whole(object(body, 'mode'), 'times', 1);
      return {};
    },
    take(command) {
      if (left === 0 || !commands.includes(command)) return undefined;
      left -= 1;
      return failure;
    },
  };
}
