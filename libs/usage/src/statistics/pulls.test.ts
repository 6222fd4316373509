import { said } from './cubes.test-support';
import { pulls } from './pulls';

const everything = {
  repository: 'Library/alpine',
  tag: '3.20',
  platform: 'linux/ARM64/v8',
  user: { email: 'someone@Example.com' },
  client: { name: 'docker', version: '27.1.1' },
  country: 'DE',
  network: { name: 'Example Inc', asn: 64_500 },
  fusion: true,
  kind: 'image',
  pattern: 'development',
  bytes: 3_623_807,
};
const dimensions = {
  organization: 'example.com',
  repository: 'Library/alpine',
  tag: '3.20',
  platform: 'linux/arm64/v8',
  architecture: ['arm64'],
  client: 'docker',
  clientVersion: '27.1.1',
  country: 'DE',
  network: 'Example Inc',
  fusion: 'true',
  kind: 'image',
  pattern: 'development',
};

test('a pull is one pull, by all that is known of it; the size of the image is no traffic', () => {
  expect(said(pulls, 'io.weir.pull', everything)).toEqual([{ measures: { pulls: 1 }, dimensions }]);
});

test('a check is a check, and not the latest pull', () => {
  expect(said(pulls, 'io.weir.check', everything)).toEqual([{ measures: { checks: 1 }, dimensions }]);
  const event = (type: string) => ({ type, data: everything }) as never;
  expect(pulls.increments(event('io.weir.check'))).toMatchObject([{ latest: false }]);
  expect(pulls.increments(event('io.weir.pull'))).toMatchObject([{ latest: true }]);
});

test('a download of layers is one, with the bytes that were fetched', () => {
  const measures = { downloads: 1, bytes: 3_623_807 };
  expect(said(pulls, 'io.weir.download', everything)).toEqual([{ measures, dimensions }]);
  expect(said(pulls, 'io.weir.download', { repository: 'a' })).toEqual([
    { measures: { downloads: 1 }, dimensions: { repository: 'a' } },
  ]);
});

test('an anonymous pull has no organization, and what nobody said is not known', () => {
  expect(said(pulls, 'io.weir.pull', { repository: 'a' })).toEqual([
    { measures: { pulls: 1 }, dimensions: { repository: 'a' } },
  ]);
  const mail = { repository: 'a', user: { email: 'me@gmail.com' } };
  expect(said(pulls, 'io.weir.pull', mail)).toEqual(said(pulls, 'io.weir.pull', { repository: 'a' }));
});

test('an image without Fusion, as its publisher says, is told from one of which nobody knows', () => {
  expect(said(pulls, 'io.weir.pull', { repository: 'a', fusion: false })[0]?.dimensions).toMatchObject({
    fusion: 'false',
  });
});

test('a pull of several platforms is one of each, and of each architecture once', () => {
  const [found] = said(pulls, 'io.weir.pull', { repository: 'a', platforms: ['linux/arm/v7', 'linux/arm/v6', 'linux/x86_64'] });
  expect(found?.dimensions).toEqual({
    repository: 'a',
    platform: ['linux/arm/v7', 'linux/arm/v6', 'linux/x86_64'],
    architecture: ['arm', 'amd64'],
  });
}); // prettier-ignore

test.each(['referrer', 'build', 'build.finished', 'mirror', 'scan', 'view', 'audit', 'canary'])('a %s is none of these', (kind) => {
  expect(said(pulls, `io.weir.${kind}`, everything)).toEqual([]);
}); // prettier-ignore

test('a download of a file is none of an image', () => {
  expect(said(pulls, 'io.weir.download', { resource: 'file/42', bytes: 1024 })).toEqual([]);
});

test.each([-1, NaN, Infinity, 2 ** 53, '7', null])('%p bytes are none', (bytes) => {
  expect(said(pulls, 'io.weir.download', { repository: 'a', bytes })[0]?.measures).toEqual({ downloads: 1 });
});
