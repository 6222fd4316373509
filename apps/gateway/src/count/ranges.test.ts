import { seeded } from '@weir/testing';
import { addsTo, firstOf, lengthOf, parseRange, union } from './ranges';

describe('a Range header', () => {
  test.each([
    [undefined, [0, 100]],
    ['bytes=0-9', [0, 10]],
    ['bytes=90-', [90, 100]],
    ['bytes=-10', [90, 100]],
    ['bytes=-1000', [0, 100]],
    ['bytes=90-1000', [90, 100]],
    ['Bytes=0-0', [0, 1]],
    ['bytes=0-9, 20-29', [0, 10, 20, 30]],
    ['bytes=20-29,0-9 ,5-19', [0, 30]],
    ['bytes=100-', []],
    ['bytes=200-300', []],
    ['bytes=-0', []],
  ])('%s asks for %j of 100 bytes', (header, ranges) => {
    expect(parseRange(header, 100)).toEqual(ranges);
  });

  test.each(['', 'bytes', 'bytes=', 'bytes=-', 'bytes=9-0', 'bytes=a-b', 'bytes=0-9,', 'bytes=0-9,x', 'bytes 0-9/100',
    'items=0-9', 'bytes=0x0-9', 'bytes=+0-9', 'bytes=1e1-', 'bytes=0-9;5-6', 'bytes=9999999999999999-'])(
    '%p is none: a server answers with the whole', (header) => {
      expect(parseRange(header, 100)).toEqual([0, 100]);
    }); // prettier-ignore

  test('of a blob whose size nobody knows may have no end', () => {
    expect(parseRange('bytes=5-', Infinity)).toEqual([5, Infinity]);
    expect(lengthOf(parseRange(undefined, Infinity))).toBe(0);
  });

  test('of the largest size that a server lets in is read in no time', () => {
    const header = `bytes=${Array.from({ length: 4000 }, (_, n) => `${3 * n}-${3 * n}`).join(',')}`;
    expect(lengthOf(parseRange(header, 20_000))).toBe(4000);
  });
});

test('the union of ranges has each byte once', () => {
  expect(union([0, 10], [10, 20])).toEqual([0, 20]);
  expect(union([0, 10, 20, 30], [5, 25])).toEqual([0, 30]);
  expect(union([20, 30], [0, 10])).toEqual([0, 10, 20, 30]);
  expect(lengthOf(union([0, 10], [5, 15]))).toBe(15);
});

test('the union is the same as that of sets of bytes, for any ranges', () => {
  const random = seeded(7);
  for (let n = 0; n < 500; n += 1) {
    const bytes = new Set<number>();
    let ranges: readonly number[] = [];
    for (let k = 0; k < 8; k += 1) {
      const from = Math.floor(random() * 60);
      const to = from + 1 + Math.floor(random() * 12);
      for (let byte = from; byte < to; byte += 1) bytes.add(byte);
      ranges = union(ranges, [from, to]);
    }
    expect(lengthOf(ranges)).toBe(bytes.size);
    const inside = ranges.flatMap((from, k) => (k % 2 ? [] : [[from, ranges[k + 1] as number] as const]));
    const found = Array.from({ length: 80 }, (_, byte) => inside.some(([from, to]) => byte >= from && byte < to));
    expect(found).toEqual(Array.from({ length: 80 }, (_, byte) => bytes.has(byte)));
  }
});

test('what is there already adds nothing', () => {
  expect(addsTo([0, 50], [10, 20])).toBe(false);
  expect(addsTo([0, 50], [40, 60])).toBe(true);
  expect(addsTo([], [])).toBe(false);
});

test('the first bytes of several ranges', () => {
  expect(firstOf([0, 10, 20, 30], 15)).toEqual([0, 10, 20, 25]);
  expect(firstOf([0, 10], 0)).toEqual([]);
  expect(firstOf([0, 10], 99)).toEqual([0, 10]);
});
