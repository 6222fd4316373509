/**
 * Writes the pages that are generated from the code: the catalogue of events with its JSON Schemas, and the variables
 * of every app. `node scripts/docs.mjs` writes them, `--check` only says whether they are fresh (exit code 1 if not).
 * Needs a build.
 */
import { existsSync, mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { createRequire } from 'node:module';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';
import { definitionsOf } from './rabbitmq-definitions.mjs';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const require = createRequire(join(root, 'libs/events/package.json'));
const { z } = require('zod');
const { catalogue } = require(join(root, 'libs/events/dist'));
const { commonVariables } = require(join(root, 'libs/service/dist'));
const { workerVariables } = require(join(root, 'libs/worker/dist'));

const { topology } = require(join(root, 'libs/bus/dist'));

const pages = {
  'docs/events.md': eventsPage(),
  'docs/configuration.md': configurationPage(),
  'deploy/rabbitmq-definitions.json': `${JSON.stringify(definitionsOf(topology()), null, 2)}\n`,
  ...schemas(),
};
const stale = Object.entries(pages).filter(([path, text]) => read(path) !== text);

if (process.argv.includes('--check')) {
  for (const [path] of stale) process.stderr.write(`${path} is stale: run \`npm run docs\`\n`);
  process.exitCode = stale.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of stale) {
    mkdirSync(dirname(join(root, path)), { recursive: true });
    writeFileSync(join(root, path), text);
    process.stdout.write(`${path}\n`);
  }
}

function read(path) {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function eventsPage() {
  const kinds = catalogue.map(
    ({ type, name, description, example, reserved }) =>
      `## ${type}\n\n${description} ${reserved ? 'In no store' : `Measurement \`${name}\``}, [schema](schemas/${type}.json).\n\n` +
      `\`\`\`json\n${JSON.stringify(example, null, 2)}\n\`\`\`\n`,
  );
  return [
    '# Events\n',
    'Generated from `libs/events/src/catalogue.ts` by `npm run docs`; each example is the `data` of a CloudEvents 1.0',
    'envelope. A type that is not listed is welcome too: it is stored, and charted as a count by type.\n',
    ...kinds,
  ].join('\n');
}

function schemas() {
  return Object.fromEntries(
    catalogue.map(({ type, description, schema }) => [
      `docs/schemas/${type}.json`,
      `${JSON.stringify({ title: type, description, ...z.toJSONSchema(schema, { io: 'input' }) }, null, 2)}\n`,
    ]),
  );
}

function configurationPage() {
  const apps = readdirSync(join(root, 'apps')).filter((app) => existsSync(join(root, 'apps', app, 'dist/main.js')));
  const own = apps.flatMap((app) => {
    const variables = variablesOf(app);
    return variables ? [`## ${app}\n\n${table(variables)}\n`] : [];
  });
  return [
    '# Configuration\n',
    'Generated from the code by `npm run docs`. Everything is read from the environment, once, and validated as a',
    'whole: every mistake is reported, and the exit code is 78. `--check` validates and exits. An empty value counts as',
    'unset.\n',
    `## Every app\n\n${table(commonVariables)}\n`,
    `## Every worker\n\n${table(workerVariables)}\n`,
    ...own,
  ].join('\n');
}

/** An app keeps its variables in `config.ts`; a worker in its definition, the one file that makes it. */
function variablesOf(app) {
  const config = join(root, 'apps', app, 'dist/config.js');
  if (existsSync(config)) return require(config).variables;
  const definition = join(root, 'apps', app, 'dist', `${app.replace('-worker', '')}.js`);
  if (!app.endsWith('-worker') || !existsSync(definition)) return undefined;
  return Object.values(require(definition)).find((value) => value?.variables)?.variables;
}

function table(variables) {
  const rows = Object.entries(variables).map(([name, { schema, description, example, secret }]) => {
    const unset = schema.safeParse(undefined);
    const fallback = !unset.success ? 'required' : secret || unset.data === undefined ? '' : `\`${show(unset.data)}\``;
    const hint = example ? ` For example \`${example}\`.` : '';
    return `| \`${name}\` | ${fallback} | ${description.replaceAll('|', '\\|')}${hint} |`;
  });
  return ['| variable | default | meaning |', '| --- | --- | --- |', ...rows].join('\n');
}

function show(value) {
  return Array.isArray(value) ? value.join(',') : String(value);
}
