/**
 * Makes `.env` for docker-compose.yml: a random secret for everything that asks for one. What the file has already is
 * kept, so it can be run again when a newer version needs more.
 */
import { createHash, randomBytes } from 'node:crypto';
import { appendFileSync, existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import process from 'node:process';
import { passwordVariable, permissions } from './rabbitmq-definitions.mjs';
import { root } from './steps.mjs';

const file = join(root, '.env');
const found = existsSync(file) ? readFileSync(file, 'utf8') : '';
const has = (name) => new RegExp(`^\\s*${name}\\s*=`, 'm').test(found);
// Letters and digits only: the passwords become parts of URLs, queries and configuration files.
const secret = () => randomBytes(24).toString('hex');
const sha256 = (text) => createHash('sha256').update(text).digest('hex');

const rabbitmqUsers = Object.keys(permissions).map((user) => passwordVariable(user).replace(/_PASSWORD$/, ''));

/** Names that belong together (a key and its hash) are made together, or not at all. */
const groups = [
  { about: 'RabbitMQ, a user for each app; operator is the command line', values: () => passwords(...rabbitmqUsers) },
  {
    about: 'Redis, likewise',
    values: () => passwords('REDIS_OPERATOR', 'REDIS_GATEWAY', 'REDIS_WORKER', 'REDIS_STATS'),
  },
  { about: 'The other servers', values: () => passwords('INFLUXDB_ADMIN', 'INFLUXDB_WEIR', 'INFLUXDB_GRAFANA') },
  { values: () => passwords('MONGODB_ADMIN', 'MONGODB_WEIR', 'MONGODB_OPERATOR') },
  { about: 'Grafana, user admin', values: () => passwords('GRAFANA_ADMIN') },
  { about: 'POST /events: the key for clients; the apps get its hash only', values: () => key('INGEST', 'ingest') },
  { about: 'POST /builds and /mirrors: likewise', values: () => key('BUILD', 'build') },
  { about: 'The read API: user weir with this password', values: statsUser },
  {
    about: 'What the gateway stands in front of, as it reaches it and as clients reach it',
    values: () => ({ UPSTREAM: 'http://registry:5000', UPSTREAM_PUBLIC_URL: 'http://127.0.0.1:5000' }),
  },
];

function passwords(...names) {
  return Object.fromEntries(names.map((name) => [`${name}_PASSWORD`, secret()]));
}

function key(name, purpose) {
  const value = `weir_${purpose}_${secret()}`;
  return { [`${name}_KEY`]: value, [`${name}_KEYS`]: `compose:${sha256(value)}` };
}

function statsUser() {
  const password = secret();
  return { STATS_PASSWORD: password, STATS_USERS: `weir:${sha256(password)}` };
}

const made = groups.flatMap(({ about, values }) => {
  const all = Object.entries(values());
  const single = all.every(([name]) => /_PASSWORD$/.test(name));
  const wanted = single ? all.filter(([name]) => !has(name)) : all.some(([name]) => has(name)) ? [] : all;
  if (wanted.length === 0) return [];
  return [...(about ? [`\n# ${about}`] : []), ...wanted.map(([name, value]) => `${name}=${value}`)];
});

if (made.length === 0) {
  process.stdout.write('.env has everything already; nothing was changed\n');
} else {
  const gap = found === '' || found.endsWith('\n') ? '' : '\n';
  appendFileSync(file, `${gap}${made.join('\n').trimStart()}\n`, { mode: 0o600 });
  const names = made.filter((line) => !line.includes('#')).map((line) => line.trim().split('=')[0]);
  process.stdout.write(`.env ${found === '' ? 'is made' : 'was kept and has more'}: ${names.join(', ')}\n`);
}
