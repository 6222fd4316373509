import { randomFrom } from './spool-power-cut.test-support';
import { decodeSegment, encodeRecords } from './spool-segment';

const random = randomFrom(8);
const rubbish = (bytes: number) => Buffer.from(Array.from({ length: bytes }, () => Math.floor(random() * 256)));
const event = (n: number) => Buffer.from(`{"id":"${n}","note":"${'x'.repeat(200)}"}`);
const texts = (parts: Buffer[]) =>
  decodeSegment(Buffer.concat(parts)).payloads.map((body) => body.toString().slice(7, 9));

test('sound records are found before, between and behind rubbish of any length', () => {
  const parts = [10, 11, 12, 13].flatMap((n) => [encodeRecords([event(n)]), rubbish(Math.floor(random() * 5000))]);
  expect(texts(parts)).toEqual(['10', '11', '12', '13']);
});

test('each bit that flips costs at most the record that it is in', () => {
  const whole = encodeRecords([10, 11, 12].map(event));
  for (let bit = 0; bit < whole.length * 8; bit += 7) {
    const damaged = Buffer.from(whole);
    damaged[bit >> 3] = (damaged[bit >> 3] ?? 0) ^ (1 << (bit & 7));
    const hit = Math.floor((bit >> 3) / (whole.length / 3));
    expect(texts([damaged])).toEqual(['10', '11', '12'].filter((_, n) => n !== hit));
  }
});

test('each length at which it is torn leaves the records before', () => {
  const whole = encodeRecords([10, 11, 12].map(event));
  for (let length = 0; length <= whole.length; length += 1)
    expect(texts([whole.subarray(0, length)])).toHaveLength(Math.floor(length / (whole.length / 3)));
});

test('a search through what is made to look like records comes to an end', () => {
  const bait = Buffer.alloc(8 * 1024 ** 2);
  for (let at = 0; at < bait.length; at += 4) bait.writeUInt32BE(0x0000ffff, at);
  const { payloads, damaged } = decodeSegment(Buffer.concat([encodeRecords([event(10)]), bait]));
  expect(payloads).toHaveLength(1);
  expect(damaged).toEqual([
    { from: encodeRecords([event(10)]).length, to: bait.length + encodeRecords([event(10)]).length },
  ]);
});

test('behind megabytes of rubbish the next sound records are found', () => {
  const chunk = rubbish(64 * 1024);
  const parts = Array.from({ length: 64 }, (_, n) => Buffer.concat([Buffer.from([n]), chunk]));
  expect(texts([...parts, encodeRecords([event(10)]), encodeRecords([event(11)])])).toEqual(['10', '11']);
});
