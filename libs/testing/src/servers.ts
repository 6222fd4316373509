// What finds and starts servers, apart from the tools of tests: the quick start loads nothing else of this library.
export { findServers } from './servers/find';
export type { FindOptions } from './servers/find';
export { installPackages, missingPackages } from './servers/packages';
export type { DebianPackage, InstallOptions } from './servers/packages';
export { ServerError } from './servers/server';
export type { Found, PrivateServer, Server, ServerName } from './servers/server';
