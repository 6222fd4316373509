#!/usr/bin/env node
import { run } from './run';

const { argv, env, stdin, stdout, stderr } = process;
const stopping = new AbortController();
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => stopping.abort());
// `weir tail | head` closes our output: that is the end, and no error.
stdout.on('error', () => process.exit(0));

void run(argv.slice(2), { env, cwd: process.cwd(), stdin, stdout, stderr, signal: stopping.signal }).then((code) => {
  process.exitCode = code;
});
