import { declareOn, topology, WORKERS } from '@weir/bus';
import type { ChannelModel } from 'amqplib';
import { Command } from 'commander';
import { replyText, withBroker } from '../broker';
import { amqpUrl } from '../endpoints';
import { clean, CliError, colours, exitCodes, forPeople, print, table, type Io } from '../io';
import { findTopology, type Found, type State } from '../found';

interface Options {
  worker?: string[];
  declare?: boolean;
  amqp?: string;
  json?: boolean;
}

const HELP = `
States: ok, missing, different (there, but made with other arguments: delete it and let it be declared anew), unavailable
(there, but the broker cannot reach it: the node that has it is down), denied (the user may not look), unseen (RabbitMQ shows no bindings over AMQP; every app makes its own sure whenever it
connects, and so does --declare).

Examples:
  weir topology
  weir topology --worker billing --declare
  weir topology --json | jq '.items[] | select(.state == "missing")'`;

/** `weir topology`: what the apps declare, held against what the broker has. Looks only, unless told to declare. */
export function topologyCommand(io: Io, exit: (code: number) => void): Command {
  return new Command('topology')
    .description('hold the exchanges, queues and bindings that should be there against those that are')
    .option('-w, --worker <name...>', 'further workers beside those that Weir ships')
    .option('--declare', 'make what is missing')
    .option('--amqp <url>', 'the broker (default: AMQP_URL)')
    .option('--json', 'JSON on a terminal too')
    .addHelpText('after', HELP)
    .action(async (options: Options) => {
      const workers = [...new Set([...WORKERS, ...(options.worker ?? [])])];
      const items = await withBroker(amqpUrl(io, options.amqp), async (connection) => {
        if (options.declare) await declare(connection, workers);
        return findTopology(connection, topology(workers), { bindingsMade: options.declare === true });
      });
      const ok = items.every(({ state }) => state === 'ok' || state === 'unseen');
      if (!ok) exit(exitCodes.found);
      await print(io.stdout, forPeople(io, options) ? tableOf(io, items) : JSON.stringify({ ok, items }));
    });
}

async function declare(connection: ChannelModel, workers: readonly string[]): Promise<void> {
  try {
    await declareOn(connection, workers, () => false);
  } catch (error) {
    throw new CliError(`RabbitMQ refuses to declare the topology: ${replyText(error)}`);
  }
}

function tableOf(io: Io, items: readonly Found[]): string {
  const paint = colours(io);
  const colour: Record<State, (text: string) => string> = {
    ok: paint.green, missing: paint.red, different: paint.red, unavailable: paint.red, denied: paint.yellow, unseen: paint.dim,
  }; // prettier-ignore
  const rows = items.map(({ what, name, state, ready, consumers, why }) => {
    const text = why === undefined ? state : `${state}: ${clean(why)}`;
    return [what, name, colour[state](text), ready ?? '', consumers ?? ''];
  });
  return table(['what', 'name', 'state', 'ready', 'consumers'], rows);
}
