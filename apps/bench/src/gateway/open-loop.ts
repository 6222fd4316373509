/**
 * Asks a server at a fixed rate, as clients do that know nothing of each other, and prints in milliseconds, as JSON, the
 * 99th percentiles of the time until the answer and of how late this process was itself: `node open-loop.js URL RATE SECONDS
 * FROM`. A request's time begins when it was to be sent, so that waiting behind one that hesitates is part of it. The
 * first second is not looked at.
 *
 * It has to be quicker than what it measures: requests are text that was made before, answers are only looked at for their
 * first line and their end, and where the system lets it, it goes before the other processes.
 */
import { connect, type Socket } from 'node:net';
import { setPriority } from 'node:os';
import { benchImages } from './images';

const CONNECTIONS = 64;
const CLIENTS = 1_000;
const END = '\r\n\r\n';

const [url = '', rate = '', seconds = '', from = ''] = process.argv.slice(2);
const { hostname, port } = new URL(url);
const perMs = Number(rate) / 1000;
const total = Math.floor(Number(rate) * Number(seconds));
const paths = benchImages().map(({ repository, digest }) => `/v2/${repository}/manifests/${digest}`);
const clients = Array.from({ length: CLIENTS }, (_, client) =>
  [
    ' HTTP/1.1',
    'Host: images.example.com',
    `User-Agent: docker/27.${client % 5}.1 go/go1.21.11 os/linux arch/amd64`,
    `X-Forwarded-For: 203.0.${Math.floor(client / 250)}.${client % 250}${END}`,
  ].join('\r\n'),
);

/** Every request is another pair of image and client until all pairs were there. */
function requestOf(n: number): string {
  const at = Number(from) + n;
  return `GET ${paths[at % paths.length]}${clients[(7 * at + Math.floor(at / paths.length)) % CLIENTS]}`;
}

/** By the numbers of the requests. */
const times: number[] = [];
const lateness: number[] = [];
let answered = 0;
let began = 0;

interface Connection {
  socket: Socket;
  /** The request that it waits for the answer of. */
  n: number;
  said: string;
}
const free: Connection[] = [];
const waiting: number[] = [];

const sinceDue = (n: number): number => performance.now() - began - n / perMs;

function ask(n: number): void {
  lateness[n] = sinceDue(n);
  const connection = free.pop();
  if (connection === undefined) waiting.push(n);
  else send(connection, n);
}

function send(connection: Connection, n: number): void {
  connection.n = n;
  connection.said = '';
  connection.socket.write(requestOf(n), 'latin1');
}

function hear(connection: Connection, text: string): void {
  connection.said += text;
  if (!connection.said.endsWith(END)) return;
  if (!connection.said.startsWith('HTTP/1.1 307 ')) throw new Error(`${url} answered ${connection.said}`);
  times[connection.n] = sinceDue(connection.n);
  answered += 1;
  const next = waiting.shift();
  if (next === undefined) free.push(connection);
  else send(connection, next);
  if (answered === total) end();
}

function p99(figures: readonly number[]): number {
  const looked = figures.slice(Math.floor(Number(rate))).sort((a, b) => a - b);
  return looked[Math.floor(looked.length * 0.99)] ?? NaN;
}

function end(): void {
  process.stdout.write(JSON.stringify({ p99: p99(times), late: p99(lateness) }), () => process.exit());
}

function open(): Promise<void> {
  return new Promise((resolve) => {
    const socket = connect({ host: hostname, port: Number(port), noDelay: true }, () => {
      free.push(connection);
      resolve();
    });
    const connection: Connection = { socket, n: 0, said: '' };
    socket.setEncoding('latin1').on('data', (text) => hear(connection, String(text)));
    socket.on('close', () => {
      throw new Error(`${url} closed a connection`);
    });
  });
}

/** Sends what is due, a thousand times a second. */
function keepTime(sent: number): void {
  let next = sent;
  for (; next < total && sinceDue(next) >= 0; next += 1) ask(next);
  if (next < total) setTimeout(keepTime, 1, next);
}

async function run(): Promise<void> {
  try {
    setPriority(-10);
  } catch {
    // Not allowed to: lateness tells whether it matters.
  }
  for (let n = 0; n < CONNECTIONS; n += 1) await open();
  began = performance.now();
  keepTime(0);
}

void run();
