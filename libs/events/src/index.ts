export { createEvent, encodeEvent, newId, utcDay } from './event';
export type { Origin, WeirEvent } from './event';
export { checkEvent, decodeEvent, limits } from './check';
export type { Checked, Problem } from './check';
export { identityKey, identityOf } from './identity';
export { architectureOf, architecturesOf } from './architecture';
export { organizationOf, organizationOfEmail } from './organization';
export { CANARY, catalogue, kindOf } from './catalogue';
export type { Kind } from './catalogue';
