/** The broker has an exchange or queue of our name with other arguments; trying again soon would not help. */
export class MismatchError extends Error {}

const INEQUIVALENT =
  /inequivalent arg '(?<argument>[^']*)' for (?<kind>queue|exchange) '(?<name>[^']*)' in vhost '(?<vhost>[^']*)': received (?<ours>.*?) but current is (?<theirs>.*?)"?$/;

/**
 * A refused declaration (406, `inequivalent arg …`) in words for a person: what has which argument, what Weir
 * declares, and what to do. Any other error is returned as it is.
 */
export function explainDeclaration(error: unknown): unknown {
  const found = INEQUIVALENT.exec((error as Error).message)?.groups;
  if (!found) return error;
  const { argument, kind, name, vhost, ours, theirs } = found;
  return new MismatchError(
    `the ${kind} ${name} was declared with another ${argument}: the broker has ${valueOf(theirs)}, Weir declares ` +
      `${valueOf(ours)}. ${kind === 'queue' ? adviceFor(`${name}`, `${vhost}`) : 'Delete the exchange: it holds no events.'} ` +
      'Weir declares it anew within a minute',
  );
}

/** `the value '' of type 'longstr'` and `'fanout'` as a person reads them: `''`, `'fanout'`, `none`. */
function valueOf(said = ''): string {
  return said.replace(/^the value /, '').replace(/ of type '\w+'$/, '');
}

function adviceFor(queue: string, vhost: string): string {
  const where = vhost === '/' ? '' : `-p '${vhost}' `;
  return (
    'Empty the queue with the version of Weir that declared it (or replay what it holds from the history afterwards), ' +
    `then delete it: rabbitmqctl ${where}delete_queue ${queue}.`
  );
}
