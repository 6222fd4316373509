// A disk that takes its time: every sync of this process takes SLOW_DISK_MS longer, before it is done. For
//   NODE_OPTIONS="--require …/slow-disk.js" SLOW_DISK_MS=200 node …
// Whoever says that something is durable before the sync has returned is easily caught then.
const fs = require('node:fs');
const { open } = require('node:fs/promises');

const ms = Number(process.env.SLOW_DISK_MS ?? 200);

for (const name of ['fsync', 'fdatasync']) {
  const sync = fs[name];
  fs[name] = (descriptor, done) => void setTimeout(() => sync(descriptor, done), ms);
}
void open(__filename).then(async (handle) => {
  const prototype = Object.getPrototypeOf(handle);
  for (const name of ['sync', 'datasync']) {
    const sync = prototype[name];
    prototype[name] = async function () {
      await new Promise((resolve) => setTimeout(resolve, ms));
      return sync.call(this);
    };
  }
  await handle.close();
});
