import type { Folder } from './folder';
import { removeFile } from './folder';
import type { ProcessMark } from './processes';
import { endProcesses, processesOfRun, signal, waitUntilGone } from './processes';
import type { Run } from './run-file';
import { STAGES, isSupervised, readRun } from './run-file';

/** How long a supervisor may take for everything, and each stage when it is gone. */
export interface Patience {
  supervisorMs: number;
  stageMs: number;
}

/** A supervisor that installs packages just now finishes that first: half an installation is worse than a wait. */
const PATIENCE: Patience = { supervisorMs: 180_000, stageMs: 15_000 };

/**
 * Ends a run from outside: asks its supervisor, and where that is gone or does not answer, ends what the run left
 * behind, stage by stage. Sends signals only to processes that are provably the run's own.
 *
 * @returns what had to be ended without the supervisor's help, by name.
 */
export async function takeDown(folder: Folder, run: Run, patience = PATIENCE): Promise<string[]> {
  if (signal(run.supervisor, 'SIGTERM')) {
    const [stuck] = await waitUntilGone([run.supervisor], patience.supervisorMs);
    if (stuck) await endProcesses([stuck], 0);
  }
  // Read again: a supervisor that was asked has changed the file, or has removed it and with it everything else.
  const left = readRun(folder)?.id === run.id ? (readRun(folder) ?? run) : run;
  const ended = await endLeftBehind(left, patience.stageMs);
  if (readRun(folder)?.id === run.id) {
    removeFile(folder.endpoints);
    removeFile(folder.run);
  }
  return ended;
}

/** Ends every process of a run that has no supervisor any more; returns their names. */
async function endLeftBehind(run: Run, stageMs: number): Promise<string[]> {
  if (isSupervised(run)) throw new Error('the supervisor is still there');
  const names: string[] = [];
  for (const stage of STAGES) {
    const marks = run.processes.filter((one) => one.stage === stage);
    const alive = marks.filter((mark) => signal(mark, 'SIGTERM'));
    names.push(...new Set(alive.map(({ name }) => name)));
    await endProcesses(alive, stageMs);
  }
  // What the run's processes had started themselves, or what was started too late to be recorded.
  const unrecorded: ProcessMark[] = processesOfRun(run.id);
  if (unrecorded.length > 0) names.push(`${unrecorded.length} more`);
  await endProcesses(unrecorded, Math.min(stageMs, 5_000));
  return names;
}
