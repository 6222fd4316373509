import { OptionError } from '@weir/testing';
import { readOptions } from './options';

const known = ['redis-worker', 'gateway'];

test('measures everything unless told otherwise', () => {
  expect(readOptions([], known)).toEqual({
    only: [],
    rounds: 3,
    json: undefined,
    write: false,
    list: false,
    yes: false,
  });
  expect(readOptions(['--only', 'gateway, redis-worker', '--rounds', '5', '--json', 'f'], known)).toMatchObject({
    only: ['gateway', 'redis-worker'],
    rounds: 5,
    json: 'f',
  });
});

test.each([
  [['--only', 'gatewy'], '--only knows no "gatewy", only redis-worker, gateway.'],
  [['--rounds', '0'], '--rounds must be a whole number from 1 to 99.'],
  [['--rounds', '1e9'], '--rounds must be a whole number from 1 to 99.'],
  [['--write', '--only', 'gateway'], '--write is for a whole run: leave out --only.'],
  [['--fast'], "Unknown option '--fast'"],
])('%j is refused', (args, message) => {
  const read = () => readOptions(args, known);
  expect(read).toThrow(OptionError);
  expect(read).toThrow(message);
});
