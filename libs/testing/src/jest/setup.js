/** jest's globalSetup: servers stand by, and none is started before a test asks for it (see share.ts). */
const { shareServers } = require('./share');

module.exports = async () => {
  globalThis.weirShare = await shareServers(process.env);
};
