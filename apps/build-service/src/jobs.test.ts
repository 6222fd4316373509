import { once, EventEmitter } from 'node:events';
import { mkdir, readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { JobFailure, createJobs, type Jobs, type JobsOptions, type Runner } from './jobs';
import { openJournal } from './journal';
import type { Key } from './keys';
import { publisherDouble, type PublisherDouble } from './publisher-double';
import type { Refusal } from './refusal';
import type { BuildRequest } from './request';
import { temporaryDirectory, until } from './service.fixture';

const key: Key = { name: 'ci', digest: Buffer.alloc(32), organization: 'acme.example' };
const digest = `sha256:${'a'.repeat(64)}`;
let root: Awaited<ReturnType<typeof temporaryDirectory>>;
let count = 0;
let dir: string;
let publisher: PublisherDouble;
let open: Jobs[] = [];

/** A runner whose jobs end when the test says so: by the name of their image. */
class RunnerDouble implements Runner {
  readonly started: string[] = [];
  readonly said = new EventEmitter();
  platforms = (): Promise<string[]> => Promise.resolve(['linux/amd64']);

  async run(...[job, place, log, signal]: Parameters<Runner['run']>): ReturnType<Runner['run']> {
    const { image } = job.request as BuildRequest;
    await mkdir(join(place, 'storage'));
    log.write(`running ${image}\n`);
    this.started.push(image);
    const [failure] = (await once(this.said, image, { signal }).catch(() => {
      throw signal.reason;
    })) as [Error?];
    if (failure) throw failure;
    return { digest, bytes: 7 };
  }

  end(image: string, failure?: Error): void {
    this.said.emit(image, failure);
  }
}

let runner: RunnerDouble;

async function jobsOf(options: Partial<JobsOptions> = {}): Promise<Jobs> {
  const jobs = createJobs({
    journal: await openJournal(dir),
    publisher,
    runners: { build: runner, mirror: runner },
    log: { info: () => {}, warn: () => {}, error: () => {} },
    concurrency: 1,
    queueLimit: 10,
    historyLimit: 10,
    timeoutMs: 60_000,
    logBytes: 1000,
    ...options,
  });
  await jobs.recover();
  open.push(jobs);
  return jobs;
}

const request = (image: string): BuildRequest => ({
  image: `registry.example.com/${image}:1`,
  platforms: ['linux/amd64'],
  arguments: [['TOKEN', 'secret']],
  dockerfile: { text: 'FROM scratch' },
});
const image = (name: string): string => request(name).image;
const submit = async (jobs: Jobs, name: string, prepare?: (dir: string) => Promise<void>) =>
  (await jobs.submit({ kind: 'build', request: request(name), key, ...(prepare && { prepare }) })).job;
const refusal = async (action: Promise<unknown>): Promise<Refusal['document']> =>
  action.then(
    () => Promise.reject(new Error('was not refused')),
    (error: unknown) => (error as Refusal).document,
  );
const said = (id: string): unknown[] =>
  publisher.events
    .filter((event) => event.id.startsWith(id))
    .map(({ id: said, data }) => [said.slice(36), data['outcome']]);

beforeAll(async () => {
  root = await temporaryDirectory();
});
beforeEach(() => {
  dir = join(root.path, `jobs-${(count += 1)}`);
  publisher = publisherDouble();
  runner = new RunnerDouble();
  open = [];
});
afterEach(async () => {
  publisher.refusal = undefined;
  for (const jobs of open) await jobs.close();
});
afterAll(() => root.remove());

describe('jobs', () => {
  it('run so many at a time, wait so many, and refuse the next with a time to come back', async () => {
    const jobs = await jobsOf({ concurrency: 2, queueLimit: 1 });
    const first = await submit(jobs, 'a');
    await submit(jobs, 'b');
    const third = await submit(jobs, 'c');
    await until(() => runner.started.length === 2);
    expect([first.state, third.state, jobs.depth()]).toEqual(['running', 'queued', { queued: 1, running: 2 }]);
    const document = await refusal(submit(jobs, 'd'));
    expect(document).toMatchObject({ status: 503, headers: { 'retry-after': expect.any(String) as string } });
    expect(publisher.events).toHaveLength(3); // what was refused is not counted
    expect(await submit(jobs, 'c')).toBe(third); // what is there can still be joined

    runner.end(image('a'));
    await until(() => third.state === 'running');
    await submit(jobs, 'd');
  });

  it('are announced once at their launch and once at their end, whatever the outcome', async () => {
    const jobs = await jobsOf({ timeoutMs: 100 });
    const failing = await submit(jobs, 'failing');
    await until(() => runner.started.length === 1);
    runner.end(image('failing'), new JobFailure('no such file'));
    await until(() => failing.finishedAt);
    const slow = await submit(jobs, 'slow');
    await until(() => slow.finishedAt);
    expect(failing).toMatchObject({ state: 'failed', reason: 'no such file' });
    expect(slow).toMatchObject({ state: 'timed-out', reason: 'not done after 0.1 s' });
    await until(() => publisher.events.length === 4);
    expect(said(failing.id)).toEqual([['', undefined], ['-finished', 'failed']]); // prettier-ignore
    expect(said(slow.id)).toEqual([['', undefined], ['-finished', 'timed-out']]); // prettier-ignore
  });

  it('are announced without what they were built with: its arguments may be secret (S51)', async () => {
    const jobs = await jobsOf();
    await submit(jobs, 'a');
    await until(() => runner.started.length === 1);
    runner.end(image('a'));
    await until(() => publisher.events.length === 2);
    expect(JSON.stringify(publisher.events)).toContain('"repository":"a"');
    expect(JSON.stringify(publisher.events)).not.toMatch(/TOKEN|secret|FROM scratch/);
  });

  it('are cancelled while they wait, without ever having run', async () => {
    const jobs = await jobsOf();
    await submit(jobs, 'a');
    const waiting = await submit(jobs, 'b');
    await jobs.cancel(waiting.id);
    expect(waiting).toMatchObject({ state: 'cancelled', durationMs: 0 });
    await until(() => publisher.events.length === 3);
    expect(said(waiting.id)).toEqual([['', undefined], ['-finished', 'cancelled']]); // prettier-ignore
    expect(await submit(jobs, 'b')).not.toBe(waiting); // the target is free again
  });

  it('that an unforeseen error ends say nothing of its text', async () => {
    const jobs = await jobsOf();
    const job = await submit(jobs, 'a');
    await until(() => runner.started.length === 1);
    runner.end(image('a'), new Error('/secret/path'));
    await until(() => job.finishedAt);
    expect(job.reason).toMatch(/its own log says why/);
  });

  it('are accepted only when their event is safe: otherwise nothing is left of them', async () => {
    const jobs = await jobsOf();
    publisher.refusal = new Error('the spool is full');
    const documents = await Promise.all([refusal(submit(jobs, 'a')), refusal(submit(jobs, 'a'))]);
    expect(documents).toMatchObject([{ status: 503 }, { status: 503 }]); // whoever joined it is told, too
    expect([await readdir(dir), jobs.list(), jobs.depth()]).toEqual([[], [], { queued: 0, running: 0 }]);
    publisher.refusal = undefined;
    await submit(jobs, 'a');
    await until(() => runner.started.length === 1);
  });

  it('keep announcing their end until somebody takes it', async () => {
    const jobs = await jobsOf();
    const job = await submit(jobs, 'a');
    await until(() => runner.started.length === 1);
    publisher.refusal = new Error('the spool is full');
    runner.end(image('a'));
    await until(() => job.finishedAt);
    expect(said(job.id)).toEqual([['', undefined]]); // prettier-ignore
    publisher.refusal = undefined;
    await until(() => said(job.id).length === 2);
  });

  it('are forgotten, oldest first, when there are too many; what they asked for in secret is forgotten at once', async () => {
    const jobs = await jobsOf({ historyLimit: 2 });
    const ids = [];
    for (const name of ['a', 'b', 'c', 'd']) {
      const job = await submit(jobs, name);
      ids.push(job.id);
      await until(() => runner.started.includes(image(name)));
      runner.end(image(name));
      await until(() => job.announced === 'finish');
    }
    await until(async () => (await readdir(dir)).length <= 3);
    expect((await readdir(dir)).sort()).toEqual(expect.arrayContaining(ids.slice(2)));
    expect(await readFile(join(dir, ids[3] ?? '', 'job.json'), 'utf8')).not.toContain('secret');
  });

  it('write a log up to its limit, and say where it was cut', async () => {
    const jobs = await jobsOf({ logBytes: 10 });
    const job = await submit(jobs, 'a');
    await until(() => runner.started.length === 1);
    runner.end(image('a'));
    await until(() => job.finishedAt);
    let text = '';
    for await (const chunk of jobs.followLog(job.id, 0, new AbortController().signal)) text += chunk.toString();
    expect(text).toBe('running re\n[the log is limited to 10 bytes: the rest is dropped]\n');
  });
});

describe('a new process on the same directory', () => {
  it('runs what was waiting, and reports what was running as failed, each event under the identity it had', async () => {
    const before = await jobsOf();
    const running = await submit(before, 'a');
    const waiting = await submit(before, 'b', (place) => writeFile(join(place, 'Dockerfile'), 'FROM scratch'));
    await until(() => runner.started.length === 1);
    const launches = publisher.events.slice();

    // The first is left alone as kill -9 would leave it: nothing of it is closed, only the directory is read.
    const after = publisherDouble();
    const second = new RunnerDouble();
    const jobs = await jobsOf({ publisher: after, runners: { build: second, mirror: second } });
    await until(() => second.started.length === 1 && after.events.length === 1);
    expect(jobs.get(running.id)).toMatchObject({
      state: 'failed',
      reason: expect.stringContaining('restart') as string,
    });
    expect(after.events.map(({ id }) => id)).toEqual([`${running.id}-finished`]);
    expect(await readFile(join(dir, waiting.id, 'Dockerfile'), 'utf8')).toBe('FROM scratch');

    second.end(image('b'));
    await until(() => after.events.length === 2);
    expect(after.events[1]).toMatchObject({ id: `${waiting.id}-finished`, data: { outcome: 'succeeded' } });
    expect(launches.map(({ id }) => id)).toEqual([running.id, waiting.id]);
  });

  it('says again, in the same words, what may not have been said', async () => {
    const before = await jobsOf();
    const job = await submit(before, 'a');
    await until(() => runner.started.length === 1);
    runner.end(image('a'));
    await until(() => job.announced === 'finish');
    const first = publisher.events.map((event) => JSON.stringify(event));
    const path = join(dir, job.id, 'job.json');
    await until(async () => (await readFile(path, 'utf8')).includes('"finish"'));

    for (const announced of ['nothing', 'launch'] as const) {
      await before.close();
      await writeFile(path, JSON.stringify({ ...JSON.parse(await readFile(path, 'utf8')), announced }));
      const again = publisherDouble();
      const jobs = await jobsOf({ publisher: again });
      await until(() => jobs.get(job.id)?.announced === 'finish');
      expect(again.events.map((event) => JSON.stringify(event))).toEqual(
        announced === 'nothing' ? first : first.slice(1),
      );
      await jobs.close();
    }
  });

  it('removes what never became a job, and keeps a record it cannot read', async () => {
    await mkdir(join(dir, '019a0000-0000-7000-8000-000000000001'), { recursive: true });
    await mkdir(join(dir, '019a0000-0000-7000-8000-000000000002'));
    await writeFile(join(dir, '019a0000-0000-7000-8000-000000000002', 'job.json'), '{"id":');
    const jobs = await jobsOf();
    expect(jobs.list()).toEqual([]);
    expect(await readdir(dir)).toEqual(['019a0000-0000-7000-8000-000000000002']);
    await jobsOf(); // and again
    expect(await readdir(join(dir, '019a0000-0000-7000-8000-000000000002'))).toEqual(['job.json.unreadable']);
  });
});

describe('a service that stops', () => {
  it('ends what runs as failed, announces that, and keeps what waits', async () => {
    const jobs = await jobsOf();
    const running = await submit(jobs, 'a');
    const waiting = await submit(jobs, 'b');
    await until(() => runner.started.length === 1);
    await jobs.close();
    expect([running.state, waiting.state]).toEqual(['failed', 'queued']);
    expect(said(running.id)).toEqual([['', undefined], ['-finished', 'failed']]); // prettier-ignore
    expect(said(waiting.id)).toEqual([['', undefined]]); // prettier-ignore
    expect(await refusal(submit(jobs, 'c'))).toMatchObject({ status: 503 });
  });
});
