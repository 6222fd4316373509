import { identityKey, identityOf } from './index';

test('one source and id are one identity of 16 bytes', () => {
  expect(identityOf({ source: 'a', id: '1' })).toEqual(identityOf({ source: 'a', id: '1' }));
  expect(identityOf({ source: 'a', id: '1' })).toHaveLength(16);
  expect(identityKey({ source: 'a', id: '1' })).toMatch(/^[A-Za-z0-9_-]{22}$/);
});

test('no two pairs share an identity, however they are cut', () => {
  const parts = ['', 'a', 'b', 'ab', '1', '1:', '1:a', ':', 'é', '2:ab'];
  const keys = parts.flatMap((source) => parts.map((id) => identityKey({ source, id })));
  expect(new Set(keys).size).toBe(parts.length ** 2);
});
