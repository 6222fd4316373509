import { createWire, type Request } from './wire';

/** Gives both directions to a wire, cut into pieces of so many bytes, and tells what it has read. */
function read(client: string, server: string, pieceLength: number): Request[] {
  const requests: Request[] = [];
  const wire = createWire((request) => requests.push(request));
  for (const piece of pieces(client, pieceLength)) wire.fromClient(piece);
  for (const piece of pieces(server, pieceLength)) wire.fromServer(piece);
  return requests;
}

function pieces(text: string, length: number): Buffer[] {
  const all = Buffer.from(text, 'latin1');
  return Array.from({ length: Math.ceil(all.length / length) }, (_, at) =>
    all.subarray(at * length, (at + 1) * length),
  );
}

const client = [
  'GET /v2/ HTTP/1.1\r\nHost: a\r\nUser-Agent: docker/1\r\n\r\n',
  'HEAD /v2/a/manifests/v1 HTTP/1.1\r\nHost: a\r\nAuthorization: Bearer secret\r\n\r\n',
  'GET /v2/a/blobs/b HTTP/1.1\r\nHost: a\r\nRange: bytes=1-2\r\nCookie: secret\r\n\r\n',
  'GET /v2/a/blobs/c HTTP/1.1\r\nHost: a\r\n\r\n',
].join('');
const server = [
  'HTTP/1.1 401 Unauthorized\r\nContent-Length: 22\r\n\r\nHTTP/1.1 999 no head\r\n',
  'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n',
  'HTTP/1.1 206 Partial Content\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nHTTP/\r\na;x=y\r\n0123456789\r\n0\r\n\r\n',
  'HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 307 Temporary Redirect\r\nLocation: x\r\nContent-Length: 0\r\n\r\n',
].join('');

test.each([1, 3, 10_000])('requests and their answers are told apart, in pieces of %i bytes', (length) => {
  const requests = read(client, server, length);
  expect(requests).toEqual([
    { method: 'GET', target: '/v2/', userAgent: 'docker/1', credentials: [], status: 401 },
    { method: 'HEAD', target: '/v2/a/manifests/v1', userAgent: '', credentials: ['authorization'], status: 200 },
    { method: 'GET', target: '/v2/a/blobs/b', userAgent: '', range: 'bytes=1-2', credentials: ['cookie'], status: 206 },
    { method: 'GET', target: '/v2/a/blobs/c', userAgent: '', credentials: [], status: 307 },
  ]);
  expect(JSON.stringify(requests)).not.toContain('secret');
});

test('what is no HTTP is let by unread', () => {
  expect(read('\u0016\u0003\u0001GET / HTTP/1.1\r\n\r\n', 'HTTP/1.1 400 Bad Request\r\n\r\n', 5)).toEqual([]);
});
