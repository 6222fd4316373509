import { Agent } from 'undici';

/** Who pulls: the user agent of a real client, where it runs, and whom it logs in as. */
export interface Machine {
  /** As the client sends it; the demo adds a comment that says what it is. */
  userAgent: string;
  /** The platform that it takes out of an index. */
  platform: string;
  /** Connects from an address of its own, so that the gateway sees several sources. */
  dispatcher: Agent;
}

/** User agents as the clients of those names send them, each on machines of its own. */
const CLIENTS = [
  {
    userAgent: 'docker/27.1.1 go/go1.21.12 git-commit/cc13f95 kernel/6.1.0 os/linux arch/amd64',
    platform: 'linux/amd64',
  },
  { userAgent: 'containerd/1.7.20', platform: 'linux/arm64' },
  { userAgent: 'containers/5.29.2 (github.com/containers/image)', platform: 'linux/amd64' },
  { userAgent: 'buildkit/v0.15', platform: 'linux/arm64' },
  { userAgent: 'containerd/1.7.20', platform: 'linux/amd64' },
] as const;
const HELM = { userAgent: 'Helm/3.15.3', platform: 'linux/amd64' };
const COSIGN = { userAgent: 'cosign/v2.4.1 (linux; amd64)', platform: 'linux/amd64' };
/** They look for newer images and pull none. */
const POLLERS = [
  { userAgent: 'diun/4.28.0 go/1.22.4 Linux', platform: 'linux/amd64' },
  { userAgent: 'regclient/regctl (v0.7.1)', platform: 'linux/amd64' },
] as const;

/** All machines of the demo. `close` ends their connections. */
export function openMachines(gateway: string) {
  const agents: Agent[] = [];
  const on = (client: { userAgent: string; platform: string }): Machine => {
    const dispatcher = new Agent(from(gateway, agents.length + 1));
    agents.push(dispatcher);
    return { ...client, dispatcher };
  };
  return {
    pullers: CLIENTS.map(on),
    helm: on(HELM),
    cosign: on(COSIGN),
    pollers: POLLERS.map(on),
    close: () => Promise.all(agents.map((agent) => agent.destroy())),
  };
}

/** On Linux all of 127.0.0.0/8 is this host, and one may call 127.0.0.1 from any of it. Elsewhere all are one source. */
function from(gateway: string, number: number): { localAddress?: string } {
  const anyOf = process.platform === 'linux' && new URL(gateway).hostname === '127.0.0.1';
  return anyOf ? { localAddress: `127.0.1.${number}` } : {};
}
