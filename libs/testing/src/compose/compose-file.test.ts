import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { environmentOf, root } from './stack.test-support';

// What can be read off docker-compose.yml without a Docker engine (S40, and "no default password that reaches a network").

const compose = readFileSync(join(root, 'docker-compose.yml'), 'utf8');
const services = [...compose.split(/^services:$/m)[1]!.split(/^\S/m)[0]!.matchAll(/^ {2}([a-z-]+):$/gm)].map(([, name]) => name as string); // prettier-ignore

test('Grafana lets nobody in without a login, and no viewer out of the dashboards', () => {
  const grafana = environmentOf('grafana');
  expect(grafana).toMatchObject({
    GF_AUTH_ANONYMOUS_ENABLED: 'false',
    GF_USERS_ALLOW_SIGN_UP: 'false',
    GF_USERS_ALLOW_ORG_CREATE: 'false',
    GF_USERS_VIEWERS_CAN_EDIT: 'false',
    GF_EXPLORE_ENABLED: 'false',
    GF_SNAPSHOTS_ENABLED: 'false',
    GF_SNAPSHOTS_EXTERNAL_ENABLED: 'false',
    GF_PUBLIC_DASHBOARDS_ENABLED: 'false',
    GF_SECURITY_DISABLE_GRAVATAR: 'true',
    GF_SECURITY_ALLOW_EMBEDDING: 'false',
    GF_SECURITY_COOKIE_SAMESITE: 'strict',
  });
  // The data source proxy reaches what the data sources are, and nothing else of the network that Grafana is in.
  expect(grafana['GF_SECURITY_DATA_SOURCE_PROXY_WHITELIST']?.split(' ')).toEqual(
    expect.arrayContaining(['influxdb:8086']),
  );
  expect(grafana['GRAFANA_INFLUX_USER']).toBe('grafana'); // who reads and nothing else: stack.test.ts
});

test('every password comes from .env and has no default', () => {
  expect(services).toEqual(expect.arrayContaining(['rabbitmq', 'redis', 'influxdb', 'mongodb', 'grafana', 'ingest', 'redis-worker'])); // prettier-ignore
  for (const service of services) {
    for (const [name, value] of Object.entries(environmentOf(service))) {
      const secret = /PASSWORD|PASS$|SECRET|TOKEN|_KEYS$|_USERS$|CLI_AUTH/.test(name);
      // Nobody's until somebody names an endpoint that asks for it; then it comes from .env, too.
      const given = name === 'INTROSPECTION_CLIENT_SECRET' ? /^\$\{[A-Z_]+:-\}$/ : /^\$\{[A-Z_]+:\?[^}]+\}$/;
      if (secret) expect([service, name, value]).toEqual([service, name, expect.stringMatching(given)]);
      const login = /:\/\/[^/@]*@/.exec(value)?.[0];
      if (login)
        expect([service, name, login]).toEqual([service, name, expect.stringMatching(/^:\/\/[a-z-]+:\$\{[A-Z_]+:\?/)]);
    }
  }
});

test('what may be said of sources, and how long, is set in .env, and believes nobody and tells nothing more without it', () => {
  expect(environmentOf('gateway')).toMatchObject({
    TRUSTED_PROXIES: '${TRUSTED_PROXIES:-0}',
    RATE_LIMIT_PER_SECOND: '${RATE_LIMIT_PER_SECOND:-0}',
    RATE_LIMIT_BURST: '${RATE_LIMIT_BURST:-500}',
    SOURCES: '${SOURCES:-on}',
    GATEWAY_DO_NOT_TRACK: '${GATEWAY_DO_NOT_TRACK:-anonymize}',
    GEOIP_COUNTRY_FILE: '${GEOIP_COUNTRY_FILE:-}',
    GEOIP_NETWORK_FILE: '${GEOIP_NETWORK_FILE:-}',
  });
  // Who asks must think of as many days as who keeps them.
  for (const service of ['redis-worker', 'stats']) {
    expect(environmentOf(service)).toMatchObject({ UNIQUES_DAYS: '${UNIQUES_DAYS:-400}' });
  }
});

test('no port is published beyond this host, and only what needs to be', () => {
  const ports = [...compose.matchAll(/^ {4}ports: \[(.*)\]$/gm)].map(([, list]) => list ?? '');
  expect(ports.length).toBeGreaterThan(0);
  for (const list of ports) expect(list).toMatch(/^'127\.0\.0\.1:/);
  expect(compose.match(/^ {4}ports:\n/m)).toBeNull();
  for (const service of ['rabbitmq', 'redis', 'influxdb', 'mongodb', 'redis-worker', 'influx-worker', 'mongo-worker']) {
    const block = compose.split(`\n  ${service}:\n`)[1]?.split(/\n {2}[a-z-]+:\n/)[0] ?? '';
    expect([service, /^ {4}(ports|networks):/m.test(block)]).toEqual([service, false]); // `back` only
  }
  expect(compose).toMatch(/^ {2}back: \{ internal: true \}$/m);
});
