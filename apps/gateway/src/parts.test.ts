import { createTurns } from './count/turns';
import { relinked, requestHeaders, responseHeaders } from './answer/headers';

describe('turns', () => {
  const gate = () => {
    let open = (): void => {};
    const opened = new Promise<void>((resolve) => (open = resolve));
    return { opened, open };
  };

  test('work of one key is done in order, that of others beside it', async () => {
    const turns = createTurns({ atOnce: 4 });
    const done: string[] = [];
    const first = gate();
    const work = [
      turns.take('a', async () => (await first.opened, void done.push('a1'))),
      turns.take('a', async () => void done.push('a2')),
      turns.take('b', async () => void done.push('b1')),
    ];
    await work[2];
    expect(done).toEqual(['b1']);
    expect(turns.waiting()).toBe(2);
    first.open();
    await turns.idle();
    expect(done).toEqual(['b1', 'a1', 'a2']);
    expect(turns.waiting()).toBe(0);
  });

  test('no more than so many at once', async () => {
    const turns = createTurns({ atOnce: 2 });
    const gates = Array.from({ length: 5 }, gate);
    let running = 0;
    let most = 0;
    const work = gates.map(({ opened }, key) =>
      turns.take(String(key), async () => {
        most = Math.max(most, ++running);
        await opened;
        running -= 1;
      }),
    );
    for (const { open } of gates) open();
    await Promise.all(work);
    expect(most).toBe(2);
  });

  test('work that fails tells its own caller and lets the next one go', async () => {
    const turns = createTurns({ atOnce: 1 });
    const failing = turns.take('a', async () => Promise.reject(new Error('no')));
    const next = turns.take('a', async () => {});
    await expect(failing).rejects.toThrow('no');
    await expect(next).resolves.toBeUndefined();
    await turns.idle();
  });
});

describe('headers', () => {
  test('a request loses what its Connection names, even what would be forwarded', () => {
    expect(requestHeaders({ connection: 'Range, close', range: 'bytes=0-1', accept: '*/*' })).toEqual({
      accept: '*/*',
    });
  });

  test('a response keeps several values of one name, and loses what no header may have', () => {
    expect(
      responseHeaders({
        'www-authenticate': 'Basic',
        warning: '299 - "\u2026"',
        link: ['<a>', '<b>'] as unknown as string,
      }),
    ).toEqual({ 'www-authenticate': 'Basic', link: ['<a>', '<b>'] });
  });

  test.each([
    ['</v2/up/tags/list?n=1>; rel="next"', '</v2/mine/tags/list?n=1>; rel="next"'],
    ['<http://public.example/v2/up/tags/list?n=1>; rel="next"', '</v2/mine/tags/list?n=1>; rel="next"'],
    ['<?n=1>; rel="next"', '</v2/mine/tags/list?n=1>; rel="next"'],
    ['<//evil.example/v2/up/tags/list>; rel="next"', '<//evil.example/v2/up/tags/list>; rel="next"'],
    ['</v2/another/tags/list>', '</v2/another/tags/list>'],
    ['<http://[>', '<http://[>'],
    ['no target', 'no target'],
  ])('the link %s becomes %s', (link, expected) => {
    const base = new URL('http://127.0.0.1:5000/v2/up/tags/list');
    const origins = ['http://127.0.0.1:5000', 'http://public.example'];
    expect(relinked(link, { base, origins, from: 'up', to: 'mine' })).toEqual([expected]);
  });
});
