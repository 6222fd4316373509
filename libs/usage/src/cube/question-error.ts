/** A question that cannot be answered as it is asked: which part of it, what was wrong, and what is allowed. */
export class QuestionError extends RangeError {
  readonly parameter: string;
  readonly wrong: string;
  readonly allowed: string;

  constructor(parameter: string, wrong: string, allowed: string) {
    super(`${parameter}: ${wrong}; allowed: ${allowed}`);
    this.name = 'QuestionError';
    this.parameter = parameter;
    this.wrong = wrong;
    this.allowed = allowed;
  }
}
