/** Fields of a command, checked: every mistake names the field, as MongoDB's own messages do. */
import { Long } from 'bson';
import { CommandError } from './errors';
import { isPlainObject } from './values';
import type { Document } from './wire';

export function object(body: Document, field: string): Document {
  const value = body[field] ?? {};
  if (!isPlainObject(value)) throw new CommandError(14, `field '${field}' must be an object`);
  return value;
}

export function objects(body: Document, field: string): Document[] {
  const value = body[field];
  if (!Array.isArray(value) || !value.every(isPlainObject))
    throw new CommandError(14, `field '${field}' must be an array of objects`);
  return value;
}

/** A whole number of at least 0; `otherwise` when it is not there. */
export function whole(body: Document, field: string, otherwise: number): number {
  const sent = body[field];
  const value = Long.isLong(sent) ? sent.toNumber() : (sent ?? otherwise);
  if (typeof value !== 'number' || !Number.isInteger(value) || value < 0) {
    throw new CommandError(2, `field '${field}' must be a whole number of at least 0`);
  }
  return value;
}

export function databaseIn(body: Document): string {
  const name = body['$db'];
  if (typeof name !== 'string' || name === '' || name.length > 63 || /[/\\. "$\0]/.test(name)) {
    throw new CommandError(73, `Invalid database name: '${String(name)}'`);
  }
  return name;
}

/** `<database>.<collection>` of a command whose `field` names the collection. */
export function namespaceIn(body: Document, field: string): string {
  const name = body[field];
  if (
    typeof name !== 'string' ||
    name === '' ||
    /^\$|\0|^system\.|^\.|\.$/.test(name) ||
    Buffer.byteLength(name) > 235
  ) {
    throw new CommandError(73, `Invalid collection name: '${String(name)}'`);
  }
  return `${databaseIn(body)}.${name}`;
}
