/** An event of a batch as it was sent. */
export interface Verbatim {
  bytes: Buffer;
  /** Members of it and of all that is in it, those of one name each for itself. */
  members: number;
}

/**
 * The objects and arrays that the array in `body` is made of, in their order, each as it was sent. What JSON.parse has
 * taken is JSON, so that a quote outside of a string begins one, a colon outside of strings belongs to a member, and
 * brackets come in pairs.
 */
export function verbatimsOf(body: Buffer): Verbatim[] {
  const found: Verbatim[] = [];
  let [depth, from, members] = [0, 0, 0];
  for (let at = 0; at < body.length; at += 1) {
    const byte = body[at];
    if (byte === QUOTE) at = endOfString(body, at);
    else if (byte === COLON) members += 1;
    else if (byte === BRACE || byte === BRACKET) {
      depth += 1;
      if (depth !== 2) continue;
      from = at;
      members = 0;
    } else if (byte === CLOSING_BRACE || byte === CLOSING_BRACKET) {
      depth -= 1;
      if (depth === 1) found.push({ bytes: body.subarray(from, at + 1), members });
    }
  }
  return found;
}

const [QUOTE, BACKSLASH, COLON] = [0x22, 0x5c, 0x3a];
const [BRACE, CLOSING_BRACE, BRACKET, CLOSING_BRACKET] = [0x7b, 0x7d, 0x5b, 0x5d];

function endOfString(body: Buffer, quote: number): number {
  let at = quote + 1;
  while (at < body.length && body[at] !== QUOTE) at += body[at] === BACKSLASH ? 2 : 1;
  return at;
}

/**
 * Whether the bytes that were parsed to this value say nothing else. Of several members of one name JSON.parse keeps the
 * last; the others were never looked at, and some other reader could take one of them. As many in the bytes as in the
 * value is one of each. A number beyond all numbers is null in JSON.
 */
export function saysOnly(value: unknown, { members }: Verbatim): boolean {
  return membersIn(value) === members;
}

function membersIn(value: unknown): number {
  if (value === Infinity || value === -Infinity) return NaN;
  if (typeof value !== 'object' || value === null) return 0;
  if (Array.isArray(value)) return value.reduce<number>((sum, item) => sum + membersIn(item), 0);
  let members = 0;
  for (const name in value) members += 1 + membersIn((value as Record<string, unknown>)[name]);
  return members;
}
