import { setTimeout as delay } from 'node:timers/promises';
import { JOB_MARK, run, type Command, type Exit } from './command';

export type Tool = 'buildah' | 'skopeo';

/** What every run of buildah or skopeo has in common. */
export interface Tools {
  /** Runs a tool for a job, in the job's directory. */
  run(tool: Tool, args: readonly string[], options: ToolOptions): Promise<Exit>;
  /** True when the tool can be run, otherwise a sentence that says how to get it. Asked again after 5 s at most. */
  available(tool: Tool): Promise<true | string>;
}

export interface ToolOptions extends Pick<Command, 'signal' | 'onOutput' | 'captureBytes'> {
  jobId: string;
  dir: string;
  temporary: string;
}

export interface ToolSettings {
  /** Where the programs are looked for. */
  path: string;
  registriesConf: string;
  /** Credentials of registries, containers-auth.json(5). */
  authFile?: string | undefined;
  /** Proxies and the like, passed on as they are. */
  environment?: Readonly<Record<string, string | undefined>>;
}

const PROBE_AGE_MS = 5000;
const PROBE_TIMEOUT_MS = 5000;

export function createTools({ path, registriesConf, authFile, environment = {} }: ToolSettings): Tools {
  const probes = new Map<Tool, { at: number; answer: Promise<true | string> }>();
  const passedOn = Object.entries(environment).filter((entry): entry is [string, string] => entry[1] !== undefined);
  const base = { PATH: path, ...Object.fromEntries(passedOn), CONTAINERS_REGISTRIES_CONF: registriesConf };

  return {
    run(tool, args, { jobId, dir, temporary, ...rest }) {
      const env = { ...base, HOME: temporary, TMPDIR: temporary, XDG_RUNTIME_DIR: temporary, [JOB_MARK]: jobId };
      // Credentials travel in a file that only the configuration names: no command line, no log ever holds them.
      return run({
        program: tool,
        args,
        env: authFile === undefined ? env : { ...env, REGISTRY_AUTH_FILE: authFile },
        cwd: dir,
        ...rest,
      });
    },
    available(tool) {
      const known = probes.get(tool);
      if (known && Date.now() - known.at < PROBE_AGE_MS) return known.answer;
      const answer = probe(tool, base);
      probes.set(tool, { at: Date.now(), answer });
      return answer;
    },
  };
}

async function probe(tool: Tool, env: Record<string, string>): Promise<true | string> {
  const ending = new AbortController();
  const late = delay(PROBE_TIMEOUT_MS, undefined, { signal: ending.signal, ref: false }).then(
    () => ending.abort(new Error('no answer')),
    () => {},
  );
  try {
    const { code } = await run({ program: tool, args: ['--version'], env, cwd: '/', signal: ending.signal });
    return code === 0 || `${tool} --version ends with code ${code}: install it again`;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return `${tool} is not installed: apt-get install ${tool}`;
    return `${tool} cannot be run: ${(error as Error).message}`;
  } finally {
    ending.abort();
    await late;
  }
}
