import { linkSync, writeFileSync } from 'node:fs';
import type { Folder } from './folder';
import { readJson, removeFile, writeJson } from './folder';
import type { ProcessMark } from './processes';
import { isAlive } from './processes';
import type { Row } from './table';

/** In this order everything is taken down: whoever feeds a thing goes before it. */
export const STAGES = ['demo', 'publisher', 'worker', 'server'] as const;
export type Stage = (typeof STAGES)[number];

/** A process of the run, as it is remembered for the case that the supervisor cannot take it down itself. */
export interface Recorded extends ProcessMark {
  name: string;
  stage: Stage;
}

/** The present run. Kept in the folder by its supervisor, read by `npm stop` and by a second `npm start`. */
export interface Run {
  /** The id that every process of the run carries in its environment. */
  id: string;
  supervisor: ProcessMark;
  state: 'starting' | 'ready' | 'stopping';
  demo: boolean;
  /** The table of addresses, once it is known. */
  rows: Row[];
  /** Lines below the table: keys, where to look, how to end it. */
  hints: string[];
  processes: Recorded[];
}

/** The supervisor's hold on the file: every change is on disk before the call returns. */
export interface RunFile {
  readonly run: Readonly<Run>;
  set(change: Partial<Pick<Run, 'state' | 'rows' | 'hints'>>): void;
  /** Replaces what is recorded for one name; no marks = it runs no more. */
  record(name: string, stage: Stage, marks: readonly ProcessMark[]): void;
  remove(): void;
}

/**
 * Takes the folder for this run. Only one run can have it: undefined when another has (its file is there, whether it
 * is alive or not: see readRun).
 */
export function claimRun(folder: Folder, run: Run): RunFile | undefined {
  const draft = `${folder.run}.${process.pid}.claim`;
  writeFileSync(draft, JSON.stringify(run), { mode: 0o600 });
  try {
    linkSync(draft, folder.run); // fails when there is one, in one step
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return undefined;
    throw error;
  } finally {
    removeFile(draft);
  }
  const change = (part: Partial<Run>): void => {
    Object.assign(run, part);
    writeJson(folder.run, run);
  };
  return {
    run,
    set: change,
    record(name, stage, marks) {
      const others = run.processes.filter((one) => one.name !== name);
      change({ processes: [...others, ...marks.map((mark) => ({ name, stage, ...mark }))] });
    },
    remove: () => removeFile(folder.run),
  };
}

/** The run that the folder belongs to, alive or left behind; undefined when there is none. */
export function readRun(folder: Folder): Run | undefined {
  return readJson(folder.run) as Run | undefined;
}

/** Whether the run's supervisor is still there to look after it. */
export function isSupervised(run: Run): boolean {
  return isAlive(run.supervisor);
}
