import { formatImageReference, parseImageReference } from './image-reference';

const digest = `sha256:${'0f'.repeat(32)}`;

test.each([
  ['alpine', { name: 'alpine' }],
  ['library/alpine:3.20', { name: 'library/alpine', tag: '3.20' }],
  ['localhost/app', { host: 'localhost', name: 'app' }],
  ['localhost:5000/app:1', { host: 'localhost:5000', name: 'app', tag: '1' }],
  ['127.0.0.1:5000/a/b@' + digest, { host: '127.0.0.1:5000', name: 'a/b', digest }],
  ['[::1]:5000/a/b', { host: '[::1]:5000', name: 'a/b' }],
  [`registry.example.com/a/b:v1@${digest}`, { host: 'registry.example.com', name: 'a/b', tag: 'v1', digest }],
])('%s is read and written back as it was', (text, expected) => {
  expect(parseImageReference(text)).toEqual(expected);
  expect(formatImageReference(expected)).toBe(text);
});

test.each([
  '', ':latest', 'Alpine', 'a b', 'a:', 'a@sha256:1', 'a:b:c', `a@${digest}@${digest}`, '-host.example/a',
  'http://host/a', 'host:99999999/a', '../a', 'a/', 'x'.repeat(2000),
])('%p is no image reference', (text) => {
  expect(parseImageReference(text)).toBeUndefined();
}); // prettier-ignore
