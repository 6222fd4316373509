import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Case, Row } from './case';
import { createJournal, type Journal } from './journal';
import { createOracle } from './oracle';
import { playCase } from './play';
import { startSystem, type System, type SystemOptions } from './system';

/** Plays cases, one after the other. */
export interface Runner {
  /** Never rejects for what a case does: that is in the row. */
  play(each: Case): Promise<Row>;
  close(): Promise<void>;
}

export interface RunnerOptions extends Pick<SystemOptions, 'root' | 'argsOf' | 'environment' | 'mongodbUrl' | 'path'> {
  seed: number;
  thorough: boolean;
  log: (text: string) => void;
  /** See `PlayOptions`. */
  stalledMs?: number;
  /** Leaves logs and data of the last system where they are, and says where. */
  keep?: boolean;
}

/** A system with the journal of everything that was ever sent to it. */
export interface Stage {
  system: System;
  journal: Journal;
  oracle: ReturnType<typeof createOracle>;
  /** Cases that were played on it. */
  played: number;
}

/** One system serves many cases; it is given up after a breach, so that none is held against two. */
export function createRunner(options: RunnerOptions): Runner {
  const { log } = options;
  /** Events lie around the midnight that this run's day began with, whenever it ends. */
  const midnightMs = Math.floor(Date.now() / 86_400_000) * 86_400_000;
  let shared: Stage | undefined;

  const open = async (cluster = false): Promise<Stage> => {
    const dir = await mkdtemp(join(tmpdir(), 'weir-chaos-'));
    log(`starting servers and apps in ${dir}`);
    const system = await startSystem({ ...options, dir, cluster }).catch(async (error: unknown) => {
      if (options.keep) log(`logs and data are kept in ${dir}`);
      else await rm(dir, { recursive: true, force: true, maxRetries: 3 });
      throw error;
    });
    const journal = createJournal();
    return { system, journal, oracle: createOracle(journal, system.stores), played: 0 };
  };
  const end = async (stage: Stage | undefined, breach: boolean): Promise<void> => {
    if (!stage) return;
    await stage.system.stop();
    if (options.keep && breach) log(`logs and data are kept in ${stage.system.dir}`);
    else await rm(stage.system.dir, { recursive: true, force: true, maxRetries: 3 });
  };

  return {
    async play(each) {
      const can = each.needs?.() ?? true;
      if (can !== true) throw new Error(`${each.id} cannot be played here: ${can}`);
      const own = each.system === 'own' || each.cluster === true;
      const stage = own ? await open(each.cluster) : (shared ??= await open());
      const row = await playCase(each, stage, { ...options, midnightMs });
      if (own) await end(stage, !row.ok);
      else if (!row.ok) {
        shared = undefined;
        await end(stage, true);
      }
      return row;
    },
    async close() {
      const last = shared;
      shared = undefined;
      await end(last, false);
    },
  };
}
