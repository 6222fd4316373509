import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { Command, CommanderError } from 'commander';
import { deadLettersCommand } from './commands/dead-letters';
import { publishCommand } from './commands/publish';
import { rebuildCommand } from './commands/rebuild';
import { replayCommand } from './commands/replay';
import { statsCommand } from './commands/stats';
import { tailCommand } from './commands/tail';
import { topologyCommand } from './commands/topology';
import { verifyCommand } from './commands/verify';
import { CliError, clean, exitCodes, type Io } from './io';

const { version } = JSON.parse(readFileSync(join(__dirname, '../package.json'), 'utf8')) as { version: string };

const FOOTER = `
Where:
  The broker is AMQP_URL or, without it, what \`npm start\` wrote into .weir/endpoints.json of the current folder.
  The read API is STATS_URL, with STATS_USER and STATS_PASSWORD or STATS_KEY, or, without it, the quick start's.
  On a terminal the output is for people, in a pipe (or with --json) it is JSON.

Exit codes:
  0   done
  1   not as it should be: something missing or different, refused or invalid
  2   wrong usage
  69  a server does not answer
  78  no address, or a wrong one

Examples:
  weir publish pull --data '{"repository": "library/alpine", "tag": "3.20", "platform": "linux/amd64"}'
  weir tail --type 'build*'
  weir stats
  weir stats pulls --from now-30d --by organization --top 5
  weir topology
  weir dead-letters list --worker redis
  weir verify --from 2026-11-22`;

/** Runs one command line and resolves with the exit code. Never throws: what went wrong is one line on stderr. */
export async function run(args: readonly string[], io: Io): Promise<number> {
  let code: number = exitCodes.ok;
  const program = new Command('weir')
    .description('Looks at, feeds and checks the flow of events of Weir, and asks what it has counted.')
    .version(version)
    .addHelpText('after', FOOTER)
    .enablePositionalOptions() // what stands behind a command is its own, whatever the one above it has by that name
    .addCommand(publishCommand(io))
    .addCommand(tailCommand(io))
    .addCommand(statsCommand(io))
    .addCommand(topologyCommand(io, (found) => (code = found)))
    .addCommand(deadLettersCommand(io, (found) => (code = found)))
    .addCommand(verifyCommand(io, (found) => (code = found)))
    .addCommand(rebuildCommand(io))
    .addCommand(replayCommand(io));
  for (const command of [program, ...program.commands, ...program.commands.flatMap((each) => each.commands)]) {
    command.exitOverride().configureOutput({
      writeOut: (text) => void io.stdout.write(text),
      writeErr: (text) => void io.stderr.write(text.replace(/^error: /, 'weir: ')),
    });
  }
  try {
    await program.parseAsync(args, { from: 'user' });
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? exitCodes.ok : exitCodes.usage;
    io.stderr.write(`weir: ${clean((error as Error).message, 2000)}\n`);
    return error instanceof CliError ? error.exitCode : exitCodes.found;
  }
}
