import { manualClock } from '../gateway.test-support';
import { createWaiting } from './waiting';

function start(max = 10) {
  const clock = manualClock();
  const left: string[] = [];
  const waiting = createWaiting<string>({ clock, pauseMs: 100, max, leave: (value) => void left.push(value) });
  return { clock, left, waiting };
}

test('each leaves when it has waited, in its order', () => {
  const { clock, left, waiting } = start();
  waiting.hold('a');
  clock.pass(60);
  waiting.hold('b');
  clock.pass(60);
  expect(left).toEqual(['a']);
  clock.pass(60);
  expect(left).toEqual(['a', 'b']);
});

test('one that is held again begins anew; one that is released never leaves', () => {
  const { clock, left, waiting } = start();
  for (const value of ['a', 'b']) waiting.hold(value);
  clock.pass(60);
  waiting.hold('a');
  waiting.release('b');
  clock.pass(60);
  expect(left).toEqual([]);
  clock.pass(60);
  expect(left).toEqual(['a']);
});

test('the longest waiting leaves when there are too many, all when they are flushed', () => {
  const { left, waiting } = start(2);
  for (const value of ['a', 'b', 'c']) waiting.hold(value);
  expect(left).toEqual(['a']);
  expect(waiting.size).toBe(2);
  waiting.flush();
  expect(left).toEqual(['a', 'b', 'c']);
  expect(waiting.size).toBe(0);
});
