/** An app cannot start, and a person can do something about it: printed as one line, exit code 1. */
export class StartError extends Error {
  override name = 'StartError';
}

/** One wrong or missing environment variable. */
export interface ConfigProblem {
  variable: string;
  message: string;
}

/** The configuration is wrong: every mistake in one report, exit code 78 (EX_CONFIG of sysexits.h). */
export class ConfigError extends Error {
  override name = 'ConfigError';

  constructor(readonly problems: readonly ConfigProblem[]) {
    super(
      `The configuration has ${problems.length} ${problems.length === 1 ? 'mistake' : 'mistakes'}:\n` +
        problems.map(({ variable, message }) => `  ${variable}: ${message}`).join('\n'),
    );
  }
}
