/** A queue that the broker has and cannot reach. */
export interface Unavailable {
  name: string;
  /** In the broker's words. */
  why: string;
}

const SAID = /NOT_FOUND - (?<text>.*?)"?$/s;

/**
 * Why a queue that exists cannot be reached, in the broker's words; undefined for any other error. RabbitMQ answers a
 * declaration, a binding or a question with 404 then, as if there were no such queue, and only the text tells: `home
 * node 'rabbit@b' of durable queue … is down or inaccessible`, `… process is stopped by supervisor` (rabbit_amqqueue).
 */
export function whyUnavailable(error: unknown): string | undefined {
  const { code, message } = error as Error & { code?: unknown };
  if (code !== 404) return undefined;
  const text = SAID.exec(message)?.groups?.['text'] ?? message;
  return /^no (queue|exchange|binding) /.test(text) ? undefined : text;
}
