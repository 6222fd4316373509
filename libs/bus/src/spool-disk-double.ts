import { fileSystem, type FileSystem } from './spool-disk';

/** What can be made to fail; `create` is the opening of a new file, `syncDirectory` the fsync of the directory. */
export type DiskCall =
  'create' | 'syncDirectory' | 'write' | 'datasync' | 'truncate' | 'read' | 'close' | 'unlink' | 'rename' | 'link';

type Handle = Awaited<ReturnType<FileSystem['open']>>;

/** The real disk, whose calls fail when a test says so. A call that fails does nothing else, but for `close`. */
export interface DiskDouble {
  fs: FileSystem;
  /** Lets a call fail with this error code, so often or until it is mended. */
  fail(call: DiskCall, code: string, times?: number): void;
  mend(): void;
  /** Runs before each call of this kind; what it returns is waited for. */
  before(call: DiskCall, hook: (path: string) => unknown): void;
  /** Runs after each call of this kind that did not fail, before its caller knows. */
  after(call: DiskCall, hook: (path: string) => unknown): void;
  /** How often each was called. */
  calls: Map<DiskCall, number>;
}

export function diskDouble(): DiskDouble {
  const failures = new Map<DiskCall, { code: string; left: number }>();
  const hooks = new Map<DiskCall, (path: string) => unknown>();
  const followers = new Map<DiskCall, (path: string) => unknown>();
  const calls = new Map<DiskCall, number>();

  const pass = async (call: DiskCall, path: string): Promise<void> => {
    calls.set(call, (calls.get(call) ?? 0) + 1);
    await hooks.get(call)?.(path);
    const failure = failures.get(call);
    if (!failure || failure.left <= 0) return;
    failure.left -= 1;
    throw Object.assign(new Error(`${failure.code}: made to fail, ${call} '${path}'`), { code: failure.code });
  };
  const guarded = <A extends unknown[], R>(call: DiskCall, real: (...args: A) => Promise<R>) =>
    async function (...args: A): Promise<R> {
      await pass(call, String(args[0]));
      const result = await real(...args);
      await followers.get(call)?.(String(args[0]));
      return result;
    };

  const methods: Partial<Record<string | symbol, DiskCall>> = {
    write: 'write', datasync: 'datasync', truncate: 'truncate', sync: 'syncDirectory', close: 'close', read: 'read',
  }; // prettier-ignore
  const handleOf = (handle: Handle, path: string): Handle =>
    new Proxy(handle, {
      get(target, name) {
        const value = Reflect.get(target, name, target) as unknown;
        if (typeof value !== 'function') return value;
        const call = methods[name];
        return async (...args: unknown[]) => {
          if (call === 'close') await target.close(); // whatever it says, the kernel closes it
          if (call) await pass(call, path);
          if (call === 'close') return;
          const result = await (value as (...args: unknown[]) => unknown).apply(target, args);
          if (call) await followers.get(call)?.(path);
          return result;
        };
      },
    });

  const open = async (...args: Parameters<FileSystem['open']>): Promise<Handle> => {
    if (args[1] === 'wx') await pass('create', String(args[0]));
    const handle = handleOf(await fileSystem.open(...args), String(args[0]));
    if (args[1] === 'wx') await followers.get('create')?.(String(args[0]));
    return handle;
  };
  return {
    fs: {
      open,
      unlink: guarded('unlink', fileSystem.unlink),
      rename: guarded('rename', fileSystem.rename),
      link: guarded('link', fileSystem.link),
    },
    fail: (call, code, times = Infinity) => void failures.set(call, { code, left: times }),
    mend: () => failures.clear(),
    before: (call, hook) => void hooks.set(call, hook),
    after: (call, hook) => void followers.set(call, hook),
    calls,
  };
}
