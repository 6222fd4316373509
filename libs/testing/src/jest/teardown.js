/** jest's globalTeardown: ends what the run has started. */
module.exports = async () => {
  await globalThis.weirShare?.stop();
};
