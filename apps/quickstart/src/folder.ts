import { chmodSync, mkdirSync, readFileSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { StartError } from '@weir/service';

/**
 * Where a quick start keeps everything it makes: one private folder, `.weir/` unless told otherwise. Nothing is
 * written outside it, so removing it (after `npm stop`) removes all that ever was.
 */
export interface Folder {
  /** The folder itself, mode 0700: what lies in it holds credentials. */
  root: string;
  /** One folder per server; kept from one start to the next. */
  data: string;
  /** One file per process, and the previous run's beside it as `<name>.log.1`. */
  logs: string;
  /** One folder per publisher, for events that the broker has not taken yet. */
  spools: string;
  /** Addresses and credentials for programs (DESIGN section 6); there only while everything runs. */
  endpoints: string;
  /** The credentials that the first start made. */
  secrets: string;
  /** The processes of the present run, for `npm stop` (see run-file.ts). */
  run: string;
}

/** Names the parts of the folder; makes nothing. */
export function folderAt(root: string): Folder {
  const at = resolve(root);
  return {
    root: at,
    data: join(at, 'data'),
    logs: join(at, 'logs'),
    spools: join(at, 'spools'),
    endpoints: join(at, 'endpoints.json'),
    secrets: join(at, 'secrets.json'),
    run: join(at, 'run.json'),
  };
}

/** Makes the folder and its parts, and takes other users' access to an older one away. */
export function makeFolder(folder: Folder): void {
  for (const path of [folder.root, folder.data, folder.logs, folder.spools])
    mkdirSync(path, { recursive: true, mode: 0o700 });
  chmodSync(folder.root, 0o700);
}

/** Writes a private JSON file (0600) so that a reader sees the old text or the new one, never half of it. */
export function writeJson(path: string, value: unknown): void {
  const draft = `${path}.${process.pid}.draft`;
  writeFileSync(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  renameSync(draft, path);
}

/** The value in a JSON file, or undefined where there is no such file. A file that is not JSON is an error that names it. */
export function readJson(path: string): unknown {
  let text: string;
  try {
    text = readFileSync(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw error;
  }
  try {
    return JSON.parse(text);
  } catch {
    throw new StartError(`${path} is not JSON: remove it and start again.`);
  }
}

/** Removes a file that may not be there. */
export function removeFile(path: string): void {
  rmSync(path, { force: true });
}
