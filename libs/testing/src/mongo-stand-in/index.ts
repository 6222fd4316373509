export { startMongoStandIn } from './server';
export type { MongoStandIn, MongoStandInOptions } from './server';
