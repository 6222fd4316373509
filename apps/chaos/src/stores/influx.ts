/** A point as InfluxDB 1.x tells it: fields and tags alike by name, null where it has none. */
export interface StoredPoint {
  measurement: string;
  timeMs: number;
  columns: Record<string, string | number | boolean | null>;
}

/** What the oracle reads of InfluxDB 1.x, by HTTP, past every proxy. */
export interface Points {
  /** `source` tag → how many points carry it. */
  counts(): Promise<Map<string, number>>;
  count(source: string): Promise<number>;
  total(): Promise<number>;
  /** All points with this `source` tag. */
  of(source: string): AsyncIterable<StoredPoint>;
  query(q: string): AsyncIterable<Series>;
}

interface Series {
  name: string;
  tags?: Record<string, string>;
  columns: string[];
  values: (string | number | boolean | null)[][];
}

export function readPoints(url: string, database: string): Points {
  const { origin, username, password } = new URL(url);
  const authorization = `Basic ${Buffer.from(`${username}:${password}`).toString('base64')}`;

  async function* query(q: string): AsyncIterable<Series> {
    const asked = new URLSearchParams({ db: database, q, epoch: 'ms', chunked: 'true', chunk_size: '2000' });
    const response = await fetch(`${origin}/query?${asked}`, {
      headers: { authorization },
      signal: AbortSignal.timeout(60_000),
    });
    if (!response.ok || !response.body) throw new Error(`InfluxDB answers ${response.status} to ${q}`);
    for await (const line of linesOf(response.body)) {
      const { results = [], error } = JSON.parse(line) as {
        results?: { series?: Series[]; error?: string }[];
        error?: string;
      };
      const problem = error ?? results.find((result) => result.error !== undefined)?.error;
      if (problem !== undefined) throw new Error(`InfluxDB: ${problem} (${q})`);
      for (const { series = [] } of results) yield* series;
    }
  }

  const sum = async (q: string): Promise<number> => {
    let count = 0;
    for await (const { values } of query(q)) count += Number(values[0]?.[1] ?? 0);
    return count;
  };

  return {
    query,
    total: () => sum('SELECT COUNT("id") FROM /.*/'),
    count: (source) => sum(`SELECT COUNT("id") FROM /.*/ WHERE "source" = '${source}'`),
    async counts() {
      const counts = new Map<string, number>();
      for await (const { tags, values } of query('SELECT COUNT("id") FROM /.*/ GROUP BY "source"')) {
        const source = tags?.['source'] ?? '';
        counts.set(source, (counts.get(source) ?? 0) + Number(values[0]?.[1] ?? 0));
      }
      return counts;
    },
    async *of(source) {
      for await (const { name, columns, values } of query(`SELECT * FROM /.*/ WHERE "source" = '${source}'`)) {
        for (const row of values) {
          const named = Object.fromEntries(columns.map((column, at) => [column, row[at] ?? null]));
          yield { measurement: name, timeMs: Number(named['time']), columns: named };
        }
      }
    },
  };
}

async function* linesOf(body: ReadableStream<Uint8Array>): AsyncIterable<string> {
  const decoder = new TextDecoder();
  let rest = '';
  for await (const chunk of body) {
    const lines = (rest + decoder.decode(chunk, { stream: true })).split('\n');
    rest = lines.pop() ?? '';
    for (const line of lines) if (line.trim() !== '') yield line;
  }
  if (rest.trim() !== '') yield rest;
}
