/** The errors that the stand-in answers with, in MongoDB's own shape and with its own numbers. */

/** Code and name of every error used, as in MongoDB's `error_codes.yml`. */
const names = {
  2: 'BadValue',
  9: 'FailedToParse',
  11: 'UserNotFound',
  13: 'Unauthorized',
  14: 'TypeMismatch',
  15: 'Overflow',
  17: 'ProtocolError',
  18: 'AuthenticationFailed',
  20: 'IllegalOperation',
  22: 'InvalidBSON',
  26: 'NamespaceNotFound',
  27: 'IndexNotFound',
  43: 'CursorNotFound',
  48: 'NamespaceExists',
  53: 'InvalidIdField',
  59: 'CommandNotFound',
  66: 'ImmutableField',
  67: 'CannotCreateIndex',
  72: 'InvalidOptions',
  73: 'InvalidNamespace',
  85: 'IndexOptionsConflict',
  86: 'IndexKeySpecsConflict',
  334: 'MechanismUnavailable',
  8000: 'StandInError',
  10334: 'BSONObjectTooLarge',
  11000: 'DuplicateKey',
  14031: 'OutOfDiskSpace',
  40324: 'Location40324',
} as const;

export type ErrorCode = keyof typeof names;

/** A command, or one document of a write, that is refused: what the driver shows as `MongoServerError`. */
export class CommandError extends Error {
  readonly codeName: string;
  constructor(
    readonly code: ErrorCode,
    message: string,
    /** Further fields of the answer, for example `keyPattern` and `keyValue` of a duplicate key. */
    readonly details: Record<string, unknown> = {},
  ) {
    super(message);
    this.codeName = names[code];
  }
}

/** Whatever was thrown, as an error that can be answered: mingo's and bson's own complaints are about the request. */
export function asCommandError(error: unknown): CommandError {
  if (error instanceof CommandError) return error;
  const name = error instanceof Error ? error.constructor.name : '';
  const message = error instanceof Error ? error.message : String(error);
  if (name === 'MingoError') return new CommandError(message.includes('immutable field') ? 66 : 2, message);
  if (name.startsWith('BSON')) return new CommandError(22, message);
  return new CommandError(8000, `the stand-in failed: ${message}`);
}
