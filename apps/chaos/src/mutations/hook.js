// Runs an app from its TypeScript source with one change, to see whether the suite notices that Weir is broken:
//   CHAOS_MUTATION='{"file":"libs/…","find":"…","replace":"…"}' node --conditions=@weir/source --require …/hook.js …/main.ts
// The change must fit exactly once: a source that has moved on must not pass for one that survived.
const { readFileSync } = require('node:fs');
const { join } = require('node:path');
const { transformSync } = require('@swc/core');

const { file, find, replace } = JSON.parse(process.env.CHAOS_MUTATION);
const mutated = join(__dirname, '../../../..', file);
const options = { jsc: { target: 'es2022', parser: { syntax: 'typescript' } }, module: { type: 'commonjs' } };

changed(readFileSync(mutated, 'utf8'));

require.extensions['.ts'] = (module, filename) => {
  const source = readFileSync(filename, 'utf8');
  const { code } = transformSync(filename === mutated ? changed(source) : source, { ...options, filename });
  module._compile(code, filename);
};

function changed(source) {
  const pieces = source.split(find);
  if (pieces.length === 2) return pieces.join(replace);
  process.stderr.write(
    `${file} holds ${JSON.stringify(find)} ${pieces.length - 1} times, not once: mend the mutation\n`,
  );
  return process.exit(70);
}
