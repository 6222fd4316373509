import type { IncomingMessage } from 'node:http';
import { createAddressOf } from './client-address';
import { createLocation } from './location';
import { createPseudonyms } from './pseudonyms';
import { createRhythm } from './rhythm';
import { createSecrets } from './secrets';
import { createSources } from './sources';

test('the pattern is that of the rhythm at the time of the request, whatever has been asked since', async () => {
  const silent = { set() {}, warn() {}, info() {} };
  const secrets = createSecrets({ unshared: silent, log: silent });
  const sources = createSources({
    addressOf: createAddressOf(0),
    doNotTrack: 'anonymize',
    told: {
      pseudonyms: createPseudonyms(secrets),
      location: createLocation(undefined, undefined),
      rhythm: createRhythm(),
    },
  });
  const request = { socket: { remoteAddress: '192.0.2.7' }, headers: {} } as unknown as IncomingMessage;
  const begin = Date.now() - 3_600_000;
  const polls = Array.from({ length: 6 }, (_, n) =>
    sources.of(request, { at: new Date(begin + n * 300_000), repository: 'team/app', reference: 'latest' }),
  );
  const patterns = await Promise.all(polls.map(async (poll) => (await poll.facts()).pattern));
  expect(patterns).toEqual([...Array<string>(4).fill('unknown'), 'production-or-poller', 'production-or-poller']);
  expect((await sources.of(request).facts()).pattern).toBeUndefined();
  secrets.close();
});
