import { z } from 'zod';
import { createDocument, type ZodOpenApiParameterObject, type ZodOpenApiResponseObject } from 'zod-openapi';
import { MEDIA_TYPES } from './formats';
import { gapsParameters, latestParameters, queryParameters } from './parameters';
import {
  description,
  gapsAnswer,
  latestAnswer,
  problemDocument,
  queryAnswer,
  statisticsAnswer,
  uniquesAnswer,
  uniquesProblem,
} from './schemas';

/** The OpenAPI 3.1 document of `/v1`, made of the schemas that questions are read by. */
export function createOpenApi(version: string): object {
  return createDocument({
    openapi: '3.1.1',
    info: {
      title: 'Weir: usage of container registries',
      version,
      description:
        'What was pulled, built, mirrored and scanned, by whom, and when. Which statistics there are, and their measures ' +
        'and dimensions, is answered by /v1/statistics.',
      license: { name: 'Apache-2.0', identifier: 'Apache-2.0' },
    },
    security: [{ basic: [] }, { key: [] }],
    components: {
      securitySchemes: {
        basic: { type: 'http', scheme: 'basic' },
        key: { type: 'http', scheme: 'bearer' },
      },
    },
    paths: {
      '/v1/statistics': {
        get: operation('listStatistics', 'What there is to be asked.', ok(statisticsAnswer)),
      },
      '/v1/statistics/{name}': {
        get: {
          ...operation('getStatistic', 'A statistic, as it describes itself.', { ...ok(description), ...refused(['404']) }),
          requestParams: { path: z.object({ name: z.string().meta({ example: 'pulls' }) }) },
        },
      },
      '/v1/query': {
        get: {
          ...operation('query', 'Numbers of a statistic.', { ...inAnyFormat(queryAnswer, true), ...refused(['403', '406']) }),
          requestParams: { query: queryParameters },
          parameters: [dimensions],
        },
      },
      '/v1/latest': {
        get: {
          ...operation('latest', 'When something was last.', { ...inAnyFormat(latestAnswer, false), ...refused(['403', '406']) }),
          requestParams: { query: latestParameters },
          parameters: [dimensions],
        },
      },
      '/v1/gaps': {
        get: {
          ...operation('gaps', 'Intervals of which the numbers may not be whole.', ok(gapsAnswer)),
          requestParams: { query: gapsParameters },
        },
      },
      '/v1/uniques': {
        get: {
          ...operation('uniques', 'How many different sources pulled.', {
            ...ok(uniquesAnswer),
            ...refused(['400', '403'], uniquesProblem),
          }),
          requestParams: { query: uniquesParameters },
        },
      },
    },
  });
} // prettier-ignore

/** Any dimension of the statistic is a parameter: they are not known before it is. */
const dimensions: ZodOpenApiParameterObject = {
  name: 'dimensions',
  in: 'query',
  style: 'form',
  explode: true,
  description:
    'Each dimension of the statistic, by its own name, with the value that it must have: organization=acme.example. An ' +
    'empty value means that it is not known.',
  schema: { type: 'object', additionalProperties: { type: 'string' } },
};

const day = z.iso.date().meta({ example: '2026-11-28' });
const uniquesParameters = z.object({
  from: day.meta({ description: 'First day, UTC.' }),
  to: day.meta({ description: 'Last day, included; at most 400 days.' }),
  repository: z.string().optional(),
  organization: z.string().optional().meta({ description: 'Not beside repository.' }),
});

type Responses = Record<`${1 | 2 | 3 | 4 | 5}${string}`, ZodOpenApiResponseObject>;

function operation(operationId: string, summary: string, responses: Responses) {
  return { operationId, summary, responses: { ...refused(['400', '401', '503']), ...responses } };
}

function ok(schema: z.ZodType): Responses {
  return { '200': { description: 'The answer.', content: { [MEDIA_TYPES.json]: { schema } } } };
}

const text = z.string();
const header = (described: string) => z.string().optional().meta({ description: described });

function inAnyFormat(schema: z.ZodType, isPaged: boolean): Responses {
  const heads = {
    Link: header('The next page: rel="next".'),
    'Weir-Total': header('total'),
    'Weir-Other': header('other'),
    'Weir-Anonymous': header('anonymous'),
    'Weir-Complete': header('complete: true or false'),
  };
  const headers = z.object({ ETag: header('Of answers of up to a mebibyte.'), ...(isPaged ? heads : {}) });
  return {
    '200': {
      description: 'The answer.',
      headers,
      content: {
        [MEDIA_TYPES.json]: { schema },
        [MEDIA_TYPES.csv]: { schema: text },
        [MEDIA_TYPES.ndjson]: { schema: text },
      },
    },
    '304': { description: 'If-None-Match has named the answer.' },
  };
}

const REFUSALS: Readonly<Record<string, string>> = {
  '400': 'Parameters are wrong; errors names each of them.',
  '401': 'The credentials name nobody.',
  '403': 'It is not for these credentials.',
  '404': 'There is no such thing.',
  '406': 'There is no such format.',
  '503': 'It cannot be answered now; Retry-After says when to ask again.',
};

function refused(statuses: readonly string[], schema: z.ZodType = problemDocument): Responses {
  const content = { 'application/problem+json': { schema } };
  return Object.fromEntries(statuses.map((status) => [status, { description: REFUSALS[status] ?? '', content }]));
}
