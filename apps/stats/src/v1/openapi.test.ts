import { giveApi, type TestApi } from '../api.test-support';
import { createOpenApi } from './openapi';
import { queryParameters } from './parameters';

let api: TestApi;
giveApi((given) => (api = given));

interface Parameter {
  name: string;
  in: string;
  description?: string;
  required?: boolean;
  schema: Record<string, unknown>;
}
interface Operation {
  operationId: string;
  parameters?: Parameter[];
  responses: Record<string, { content?: Record<string, unknown> }>;
}
interface Document {
  openapi: string;
  paths: Record<string, { get: Operation }>;
  components: { schemas: Record<string, unknown> };
}
const made = createOpenApi('1.2.3') as Document;

/** Every object within, itself included. */
function* within(value: unknown): Generator<Record<string, unknown>> {
  if (typeof value !== 'object' || value === null) return;
  yield value as Record<string, unknown>;
  for (const each of Object.values(value)) yield* within(each);
}

test('it is served to everybody, as it is made', async () => {
  const base = await api.serve({ openApi: made });
  const response = await fetch(`${base}/openapi.json`);
  expect([response.status, response.headers.get('content-type')]).toEqual([200, 'application/json; charset=utf-8']);
  expect(await response.json()).toEqual(JSON.parse(JSON.stringify(made)));
  expect(made).toMatchObject({ openapi: '3.1.1', info: { version: '1.2.3' } });
});

test('every reference is to something that is there', () => {
  const references = [...within(made)].flatMap(({ $ref }) => (typeof $ref === 'string' ? [$ref] : []));
  expect(references.length).toBeGreaterThan(10);
  const missing = references.filter((path) => {
    const found = path.slice('#/'.length).split('/').reduce<unknown>((at, name) => (at as Record<string, unknown> | undefined)?.[name], made); // prettier-ignore
    return found === undefined;
  });
  expect(missing).toEqual([]);
});

test('it has each parameter that is read, with what it takes', () => {
  const parameters = made.paths['/v1/query']?.get.parameters ?? [];
  expect(parameters.map(({ name }) => name).sort()).toEqual([...Object.keys(queryParameters.shape), 'dimensions'].sort());
  expect(parameters.filter(({ description }) => (description?.length ?? 0) < 10)).toEqual([]);
  expect(parameters.filter(({ required }) => required === true).map(({ name }) => name)).toEqual(['statistic']);
  const schemaOf = (name: string) => parameters.find((parameter) => parameter.name === name)?.schema;
  expect(schemaOf('limit')).toMatchObject({ type: 'integer', minimum: 1, maximum: 100_000 });
  expect(schemaOf('interval')).toMatchObject({ enum: ['hour', 'day', 'week', 'month', 'year', '7d', '30d'] });
  expect(schemaOf('from')).toMatchObject({ type: 'string', default: 'now-7d' });
  expect(schemaOf('by')).toMatchObject({ type: 'string' });
}); // prettier-ignore

test('every path that it has is there, and names an operation of its own', async () => {
  const base = await api.serve({});
  const paths = Object.keys(made.paths);
  expect(paths).toHaveLength(6);
  expect(new Set(paths.map((path) => made.paths[path]?.get.operationId)).size).toBe(6);
  for (const path of paths) expect([path, (await fetch(`${base}${path}`)).status]).toEqual([path, 401]);
});

test('each says in what formats it answers, and how it refuses', () => {
  const responses = made.paths['/v1/query']?.get.responses ?? {};
  expect(Object.keys(responses).sort()).toEqual(['200', '304', '400', '401', '403', '406', '503']);
  expect(Object.keys(responses['200']?.content ?? {})).toEqual(['application/json', 'text/csv', 'application/x-ndjson']);
  expect(Object.keys(responses['400']?.content ?? {})).toEqual(['application/problem+json']);
}); // prettier-ignore
