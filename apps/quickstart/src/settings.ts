import type { Config } from '@weir/service';
import {
  amqpUrl,
  commonVariables,
  directory,
  httpUrl,
  mongodbUrl,
  port,
  redisUrl,
  text,
  variable,
} from '@weir/service';

const givenServer = 'used instead of starting one';

/** The variables that the quick start itself reads; those of the apps go through to them (see apps.ts). */
export const variables = {
  HOST: commonVariables.HOST,
  GATEWAY_PORT: variable(port().default(8080), { description: 'Port of the gateway; 0 = any free one.' }),
  INGEST_PORT: variable(port().default(8081), { description: 'Port of ingest; 0 = any free one.' }),
  BUILD_SERVICE_PORT: variable(port().default(8082), { description: 'Port of the build-service; 0 = any free one.' }),
  STATS_PORT: variable(port().default(8083), { description: 'Port of stats; 0 = any free one.' }),
  UPSTREAM: variable(httpUrl().optional(), {
    description:
      'The registry that the gateway stands in front of; without it, a local one is started where its program can be had.',
    example: 'https://registry.example.com',
  }),
  RULES_FILE: variable(directory().optional(), {
    description: "The gateway's own rules, for more than one registry; instead of UPSTREAM.",
  }),
  AMQP_URL: variable(amqpUrl().optional(), { description: `A RabbitMQ of yours, ${givenServer}.`, secret: true }),
  REDIS_URL: variable(redisUrl().optional(), { description: `A Redis of yours, ${givenServer}.`, secret: true }),
  INFLUX_URL: variable(httpUrl().optional(), { description: `An InfluxDB of yours, ${givenServer}.`, secret: true }),
  MONGODB_URL: variable(mongodbUrl().optional(), { description: `A MongoDB of yours, ${givenServer}.`, secret: true }),
  GRAFANA_URL: variable(httpUrl().optional(), { description: 'A Grafana of yours, to be named among the addresses.' }),
  INFLUX_DATABASE: variable(text(64).default('weir'), { description: 'Database of the points in InfluxDB.' }),
  MONGODB_DATABASE: variable(text(64).default('weir'), { description: 'Database of the documents in MongoDB.' }),
  WEIR_HOME: variable(directory().default('.weir'), {
    description: 'The folder for everything that the quick start makes; one quick start per folder.',
  }),
};

export type Settings = Config<typeof variables>;
