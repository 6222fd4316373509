/** One request as a client sent it: what it asked, never the value of a credential. */
export interface Request {
  method: string;
  /** Path and query. */
  target: string;
  userAgent: string;
  range?: string;
  /** Which of the headers that carry credentials it had: `authorization`, `cookie` … */
  credentials: string[];
  /** Of the answer; 0 while there is none. */
  status: number;
}

/** Reads one connection's requests and their answers as the bytes go by; it changes nothing and asks for nothing. */
export interface Wire {
  fromClient(bytes: Buffer): void;
  fromServer(bytes: Buffer): void;
}

const CREDENTIALS = ['authorization', 'proxy-authorization', 'cookie', 'x-registry-auth'];

/**
 * HTTP/1.1 as the clients of registries speak it to pull: requests have no body, one answer follows another. What is no
 * HTTP (a client that tries TLS first) is let by unread.
 */
export function createWire(note: (request: Request) => void): Wire {
  const unanswered: Request[] = [];
  const answers = createAnswerReader(
    () => unanswered[0]?.method === 'HEAD',
    (status) => {
      const request = unanswered.shift();
      if (request) request.status = status;
    },
  );
  let head = '';
  let speaksHttp = true;

  return {
    fromClient(bytes) {
      if (!speaksHttp) return;
      head += bytes.toString('latin1');
      for (let end = head.indexOf(END); end >= 0; end = head.indexOf(END)) {
        const request = requestIn(head.slice(0, end));
        head = head.slice(end + END.length);
        if (!request) return void (speaksHttp = false);
        unanswered.push(request);
        note(request);
      }
      if (head !== '' && !/^[A-Z]/.test(head)) speaksHttp = false;
    },
    fromServer: (bytes) => speaksHttp && answers(bytes.toString('latin1')),
  };
}

const END = '\r\n\r\n';

function requestIn(head: string): Request | undefined {
  const [line = '', ...lines] = head.split('\r\n');
  const match = /^([A-Z]+) (\S+) HTTP\/1\.[01]$/.exec(line);
  if (!match) return undefined;
  const [, method = '', target = ''] = match;
  const headers = headersIn(lines);
  const range = headers.get('range');
  return {
    method,
    target,
    userAgent: headers.get('user-agent') ?? '',
    ...(range === undefined ? {} : { range }),
    credentials: CREDENTIALS.filter((name) => headers.has(name)),
    status: 0,
  };
}

function headersIn(lines: readonly string[]): Map<string, string> {
  return new Map(
    lines.map((line) => {
      const colon = line.indexOf(':');
      return [line.slice(0, colon).toLowerCase(), line.slice(colon + 1).trim()];
    }),
  );
}

/** Finds the status of each answer in a stream of them: a body has a length, or chunks, or goes on to the end. */
function createAnswerReader(hasNoBody: () => boolean, answered: (status: number) => void): (text: string) => void {
  let rest = '';
  let skip = 0;
  let chunked = false;

  /** One step forward in `rest`; false when more bytes are needed. */
  const step = (): boolean => {
    if (skip > 0) {
      const skipped = Math.min(skip, rest.length);
      skip -= skipped;
      rest = rest.slice(skipped);
      return rest !== '';
    }
    const end = rest.indexOf(chunked ? '\r\n' : END);
    if (end < 0) return false;
    if (chunked) {
      const size = Number.parseInt(rest.slice(0, end), 16);
      chunked = size > 0;
      rest = rest.slice(end + 2);
      skip = size + 2;
      return true;
    }
    const [line = '', ...lines] = rest.slice(0, end).split('\r\n');
    rest = rest.slice(end + END.length);
    const status = Number(/^HTTP\/1\.[01] (\d{3})/.exec(line)?.[1] ?? 0);
    const headers = headersIn(lines);
    const empty = hasNoBody() || status === 204 || status === 304;
    if (status >= 200) answered(status);
    if (status < 200 || empty) return true;
    chunked = headers.get('transfer-encoding')?.toLowerCase() === 'chunked';
    if (!chunked) skip = Number(headers.get('content-length') ?? Number.POSITIVE_INFINITY);
    return true;
  };

  return (text) => {
    rest += text;
    while (step());
  };
}
