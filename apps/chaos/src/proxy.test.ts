import { createServer, connect, type AddressInfo, type Server, type Socket } from 'node:net';
import { createLink, type Link } from './proxy';
import { eventually } from './wait';

/** Answers each piece with itself, behind a colon; remembers what it got. */
let server: Server;
let got: string[];
let sockets: Socket[];
let link: Link;

beforeEach(async () => {
  [got, sockets] = [[], []];
  server = createServer((socket) => {
    sockets.push(socket);
    socket.on('error', () => {});
    socket.on('data', (data) => {
      got.push(String(data));
      socket.write(`:${String(data)}`);
    });
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  link = await createLink('test', `http://127.0.0.1:${(server.address() as AddressInfo).port}`, () => {});
});
afterEach(async () => {
  await link.close();
  for (const socket of sockets) socket.destroy();
  await new Promise((resolve) => server.close(resolve));
});

function client() {
  const { hostname, port } = new URL(link.url);
  const socket = connect(Number(port), hostname);
  let text = '';
  let end: string | undefined;
  socket.on('data', (data) => (text += String(data)));
  socket.on('error', (error: NodeJS.ErrnoException) => (end = error.code));
  socket.on('close', () => (end ??= 'closed'));
  return {
    socket,
    text: () => text,
    end: () => end,
    says: async (what: string) => expect(await eventually(() => text === what, { timeoutMs: 5_000 })).toBe(true),
    ends: async (how: string) =>
      expect((await eventually(() => end !== undefined, { timeoutMs: 5_000 })) && end).toBe(how),
  };
}

test('without a fault everything passes, both ways', async () => {
  const one = client();
  one.socket.write('a');
  await one.says(':a');
});

test('cut resets connections, and new ones pass', async () => {
  const one = client();
  one.socket.write('a');
  await one.says(':a');
  link.cut();
  await one.ends('ECONNRESET');
  const two = client();
  two.socket.write('b');
  await two.says(':b');
});

test('refuse turns connections away until it is healed', async () => {
  await link.refuse();
  await client().ends('ECONNREFUSED');
  await link.heal();
  const two = client();
  two.socket.write('b');
  await two.says(':b');
});

test('a black hole takes connections and bytes, tells nobody, and gives them back when it is healed', async () => {
  const one = client();
  one.socket.write('a');
  await one.says(':a');
  link.blackHole();
  one.socket.write('b');
  const two = client();
  two.socket.write('c');
  expect(await eventually(() => got.length > 1, { timeoutMs: 300 })).toBe(false);
  expect([one.end(), two.end()]).toEqual([undefined, undefined]);
  await link.heal();
  await one.says(':a:b');
  await two.says(':c');
});

test('a black hole in one direction lets the server have the request', async () => {
  const one = client();
  one.socket.write('a');
  await one.says(':a');
  link.blackHole('toClient');
  one.socket.write('b');
  expect(await eventually(() => got.length === 2, { timeoutMs: 5_000 })).toBe(true);
  expect(one.text()).toBe(':a');
  await link.heal();
  await one.says(':a:b');
});

test('a dropped reply: the server has executed the request, and the client sees a reset', async () => {
  link.dropReplies({ containing: 'write' });
  const one = client();
  one.socket.write('read');
  await one.says(':read');
  one.socket.write('write');
  await one.ends('ECONNRESET');
  expect(got).toEqual(['read', 'write']);
  expect([one.text(), link.dropped]).toEqual([':read', 1]);
  const two = client();
  two.socket.write('write');
  await two.says(':write');
});

test('half open: the client is not told that its server has gone', async () => {
  const one = client();
  one.socket.write('a');
  await one.says(':a');
  link.halfOpen();
  one.socket.write('b');
  expect(await eventually(() => one.end() !== undefined, { timeoutMs: 300 })).toBe(false);
  expect(got).toEqual(['a']);
});

test('refuse after half open: every client is told in the end', async () => {
  const one = client();
  one.socket.write('a');
  await one.says(':a');
  link.halfOpen();
  await link.refuse();
  await one.ends('ECONNRESET');
  await client().ends('ECONNREFUSED');
  await link.heal();
  const two = client();
  two.socket.write('b');
  await two.says(':b');
});

test('an answer in the place of the server keeps the request from it', async () => {
  link.answer({ containing: 'POST', reply: 'no', times: 1 });
  const one = client();
  one.socket.write('POST');
  await one.ends('closed');
  expect([one.text(), got]).toEqual(['no', []]);
  const two = client();
  two.socket.write('POST');
  await two.says(':POST');
});

test('nothing overtakes what was delayed, also when the delay ends meanwhile', async () => {
  const one = client();
  await eventually(() => sockets.length === 1, { timeoutMs: 5_000 });
  link.delay(300);
  one.socket.write('first');
  await new Promise((resolve) => setTimeout(resolve, 20)); // so that it is a piece of its own
  await link.heal();
  one.socket.write('second');
  expect(await eventually(() => got.join('').length === 'firstsecond'.length, { timeoutMs: 5_000 })).toBe(true);
  expect(got.join('')).toBe('firstsecond');
  one.socket.destroy();
});
