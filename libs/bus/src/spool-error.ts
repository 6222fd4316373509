/** The disk does not take the event: full, over the quota, failing, or in use by another process. */
export class SpoolError extends Error {
  override name = 'SpoolError';

  /** @param reason the same for outsiders: without paths, sizes or numbers of processes. */
  constructor(
    message: string,
    readonly reason = 'The spool cannot be written',
  ) {
    super(message);
  }
}

/** EFBIG is what a limit of the process says (`ulimit -f`), EDQUOT one of the user. */
const FULL = 'The disk of the spool is full';
const READ_ONLY = 'The disk of the spool is read-only';
const FORBIDDEN = 'The spool may not be written';
const REASONS: Readonly<Record<string, string>> = {
  ENOSPC: FULL,
  EDQUOT: FULL,
  EFBIG: FULL,
  EROFS: READ_ONLY,
  EACCES: FORBIDDEN,
  EPERM: FORBIDDEN,
  EIO: 'The disk of the spool fails',
};

/** What the operating system says of a disk, as a SpoolError. */
export function spoolErrorOf(error: unknown): SpoolError {
  if (error instanceof SpoolError) return error;
  const { code, message } = error as NodeJS.ErrnoException;
  return new SpoolError(`The spool cannot be used: ${message}`, REASONS[code ?? '']);
}
