import { join } from 'node:path';
import { appParts } from './apps';
import { demo } from './demo/demo';
import type { Parts } from './parts';
import { findWeirServers } from './servers';

/** Weir's own parts: the real servers, the apps as compiled beside this one, the demo. */
export function weir(): Parts {
  return {
    findServers: findWeirServers,
    apps: appParts(join(__dirname, '../..')),
    demo,
  };
}
