/**
 * What RabbitMQ of the compose stack holds from its first moment on (`load_definitions`): Weir's topology, and for each
 * app a user who may do what the app does and nothing else. Passwords are put in at start (deploy/rabbitmq-start.sh).
 *
 * Why so, and what each right is needed for: docs/security.md, "Users of the compose stack".
 */

/** Redeclaring what is there needs `configure` on it, and binding a queue `write` on it and `read` on the exchange. */
const declaring = { configure: '^weir\\.', write: '^weir\\.', read: '^weir\\.(events|unrouted)$' };

/** Dead letters and the answers to canaries go through the default exchange; the audit looks at the history. */
const worker = (name) => ({
  configure: declaring.configure,
  write: '^(weir\\.|amq\\.default$)',
  read: `^weir\\.(events|unrouted|history|${name})$`,
});

/** The users with their permissions (regular expressions over names); `operator` is the command line's. */
export const permissions = {
  gateway: declaring,
  ingest: declaring,
  'build-service': declaring,
  'redis-worker': worker('redis'),
  'influx-worker': worker('influx'),
  'mongo-worker': worker('mongo'),
  operator: { configure: '.*', write: '.*', read: '.*' },
};

/** The variable of .env that has a user's password. */
export const passwordVariable = (user) => `RABBITMQ_${user.toUpperCase().replaceAll('-', '_')}_PASSWORD`;

const vhost = '/';

/** `topology` is that of @weir/bus. Passwords are `@VARIABLE@`. */
export function definitionsOf(topology) {
  const { exchanges, queues } = topology;
  return {
    vhosts: [{ name: vhost }],
    users: Object.keys(permissions).map((name) => ({ name, password: `@${passwordVariable(name)}@`, tags: [] })),
    permissions: Object.entries(permissions).map(([user, rights]) => ({ user, vhost, ...rights })),
    exchanges: exchanges.map(({ name, type, options: { durable, alternateExchange } }) => ({
      name,
      vhost,
      type,
      durable,
      auto_delete: false,
      internal: false,
      arguments: alternateExchange === undefined ? {} : { 'alternate-exchange': alternateExchange },
    })),
    queues: queues.map(({ name, options }) => ({
      name,
      vhost,
      durable: options.durable,
      auto_delete: false,
      arguments: options.arguments ?? {},
    })),
    bindings: queues
      .filter(({ boundTo }) => boundTo !== undefined)
      .map(({ name, boundTo }) => ({
        source: boundTo,
        vhost,
        destination: name,
        destination_type: 'queue',
        routing_key: '',
        arguments: {},
      })),
  };
}
