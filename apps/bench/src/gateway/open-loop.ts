/**
 * Asks a server at a fixed rate, as clients do that know nothing of each other, and prints the 99th percentile of the
 * time until the answer, in milliseconds: `node open-loop.js URL RATE SECONDS FROM`. A request's time begins when it was
 * to be sent, so that waiting behind one that hesitates is part of it. The first second is not looked at.
 */
import { Agent, request } from 'node:http';
import { setTimeout as pause } from 'node:timers/promises';
import { benchImages } from './images';

const [url = '', rate = '', seconds = '', from = ''] = process.argv.slice(2);
const perMs = Number(rate) / 1000;
const total = Math.floor(Number(rate) * Number(seconds));
const paths = benchImages().map(({ repository, digest }) => `/v2/${repository}/manifests/${digest}`);
const agent = new Agent({ keepAlive: true, maxSockets: 64 });
const { hostname, port } = new URL(url);
const times: number[] = [];

function ask(n: number, due: number): Promise<void> {
  const client = (7 * n + Math.floor(n / paths.length)) % 1000;
  const headers = {
    'user-agent': `docker/27.${client % 5}.1 go/go1.21.11 os/linux arch/amd64`,
    'x-forwarded-for': `203.0.${Math.floor(client / 250)}.${client % 250}`,
  };
  return new Promise((resolve, reject) => {
    const asked = request({ agent, hostname, port, path: paths[n % paths.length], headers }, (response) => {
      if (response.statusCode !== 307) reject(new Error(`${url} answered ${response.statusCode}`));
      response.resume().once('end', () => {
        times.push(performance.now() - due);
        resolve();
      });
    });
    asked.once('error', reject).end();
  });
}

async function run(): Promise<void> {
  const began = performance.now();
  const asked: Promise<void>[] = [];
  while (asked.length < total) {
    const due = Math.min(total, Math.floor((performance.now() - began) * perMs));
    while (asked.length < due) asked.push(ask(Number(from) + asked.length, began + asked.length / perMs));
    await pause(1);
  }
  await Promise.all(asked);
  const looked = times.slice(Math.floor(Number(rate))).sort((a, b) => a - b);
  process.stdout.write(`${looked[Math.floor(looked.length * 0.99)]}\n`);
  agent.destroy();
}

void run();
