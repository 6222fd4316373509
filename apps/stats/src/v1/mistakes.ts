/** What is wrong with one parameter, and what would be right. */
export interface Mistake {
  parameter: string;
  message: string;
  /** One line: what the parameter takes, or the names to choose from. */
  allowed: string;
}

/** Parameters are wrong: all of them that can be known to be. */
export class ParametersError extends Error {
  constructor(readonly mistakes: readonly Mistake[]) {
    super('the parameters are wrong');
  }
}

/** There is no such thing as the path names. */
export class NotFoundError extends Error {}
