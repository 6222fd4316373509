#!/usr/bin/env node
/**
 * The one command of the repository: `node weir.mjs start|stop|test`, which `npm start`, `npm stop` and `npm test` call.
 * It needs nothing but Node: whatever else is missing, the command installs first.
 */
import process from 'node:process';

const usage = `Usage: node weir.mjs <command> [arguments]

  start   install and build what is missing, start the servers and all apps (npm start)
  stop    take down what "start --detach" left running (npm stop)
  test    run every test against private servers (npm test)
`;

const commands = {
  start: () => import('./scripts/start.mjs'),
  stop: () => import('./scripts/stop.mjs'),
  test: () => import('./scripts/test.mjs'),
};

const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
if (major < 20 || (major === 20 && minor < 19)) {
  fail(`Weir needs Node 20.19 or newer; this is Node ${process.versions.node}.`);
}

const [name, ...args] = process.argv.slice(2);
if (name === '--help' || name === 'help') {
  process.stdout.write(usage);
} else if (name === undefined || !Object.hasOwn(commands, name)) {
  fail(name === undefined ? usage : `"${name}" is not a command.\n\n${usage}`);
} else {
  const { run } = await commands[name]();
  process.exitCode = await run(args);
}

function fail(message) {
  process.stderr.write(`${message.trimEnd()}\n`);
  process.exit(2);
}
