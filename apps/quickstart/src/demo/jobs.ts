/** What the demo needs to ask the build-service. */
export interface BuildService {
  url: string;
  key: string;
  signal: AbortSignal;
}

/** Has an image built that consists of a label: no base image, no network. Returns the job's id. */
export async function build(
  service: BuildService,
  image: string,
  platforms: readonly string[],
  note: string,
): Promise<string> {
  return post(service, '/builds', { image, platforms, dockerfile: `FROM scratch\nLABEL io.weir.demo="${note}"\n` });
}

/** Has an image copied with all its platforms. Returns the job's id. */
export async function mirror(service: BuildService, source: string, target: string): Promise<string> {
  return post(service, '/mirrors', { source, target });
}

async function post({ url, key, signal }: BuildService, path: string, body: unknown): Promise<string> {
  const headers = { authorization: `Bearer ${key}`, 'content-type': 'application/json' };
  const response = await fetch(`${url}${path}`, { method: 'POST', headers, body: JSON.stringify(body), signal });
  const answer = await response.text();
  if (!response.ok) throw new Error(`POST ${path} was answered ${response.status}: ${answer.slice(0, 300)}`);
  return (JSON.parse(answer) as { id: string }).id;
}
