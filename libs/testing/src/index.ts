export { startInfluxdb } from './servers/influxdb';
export { startRabbitmq } from './servers/rabbitmq';
export type { PrivateRabbitmq } from './servers/rabbitmq';
export { startRedis } from './servers/redis';
export { startRegistry } from './servers/registry';
export { ServerError } from './servers/server';
export type { Found, PrivateServer, Server, ServerName, StartOptions } from './servers/server';
export { temporaryDirectory } from './servers/temporary';
