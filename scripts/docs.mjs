/**
 * Writes the pages that are generated from the code: the catalogue of events with its JSON Schemas, the variables of
 * every app, and the table of clients. `node scripts/docs.mjs` writes them, `--check` only says whether they are fresh (exit code 1 if not).
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
const { clientTable } = require(join(root, 'libs/registry/dist'));

const { topology } = require(join(root, 'libs/bus/dist'));

const pages = {
  'docs/events.md': eventsPage(),
  'docs/configuration.md': configurationPage(),
  'docs/clients.md': clientsPage(),
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

function clientsPage() {
  const yes = (can) => (can ? 'yes' : '');
  const versions = ({ from, before }) =>
    [from && `from ${from}`, before && `before ${before}`].filter(Boolean).join(', ');
  const rows = clientTable.entries.flatMap(({ name, products, releases }) =>
    releases.map((release, n) => [
      n === 0 ? name : '',
      n === 0 ? products.map((product) => `\`${product}\``).join(', ') : '',
      versions(release) || (n > 0 ? 'all others' : 'all'),
      yes(release.can.follows307), yes(release.can.reauthorizes), yes(release.can.needsDigestHeader),
      yes(release.can.sendsRange), yes(release.can.refusesPrivateAddress), release.evidence,
    ]),
  ); // prettier-ignore
  const head = ['client', 'products', 'versions', 'follows a 307', 'logs in there', 'needs the digest header', 'sends Range', 'refuses private addresses', 'read up in']; // prettier-ignore
  const line = (cells) => `| ${cells.join(' | ')} |`;
  return [
    '# Clients\n',
    `Generated from \`libs/registry/src/client-table.ts\`, version ${clientTable.version}, by \`npm run docs\`. What it decides:`,
    '[Redirect or proxy](request-handling.md#redirect-or-proxy). A client is known by the first product of its `User-Agent`,',
    'whatever its capitals, and by the numbers of its version; the rest of the header has no say. Of a client that is not here',
    'nothing is taken for granted: in mode `auto` it is proxied.\n',
    '- **follows a 307** to another host, for content that needs no credentials there;',
    '- **logs in there**: where that host asks for it, with the credentials that the client has for that host;',
    '- **needs the digest header**: fails where a `HEAD` is answered without `Docker-Content-Digest`;',
    '- **sends Range**: fetches a blob in parts, or goes on where it broke off: several requests are one download;',
    '- **refuses private addresses**: goes to no IP address such as `10.0.0.5` that is not its registry itself.\n',
    line(head),
    line(head.map(() => '---')),
    ...rows.map(line),
    '',
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
