import { OptionError } from '@weir/testing';
import { cells } from './cells';
import { CLIENTS } from './clients/client';
import { MODES } from './gateway';
import { readOptions } from './options';

test('without options, everything is played', () => {
  expect(readOptions([])).toMatchObject({ clients: CLIENTS, modes: MODES, cells, write: false, json: undefined });
});

test('a part is named', () => {
  const {
    clients,
    modes,
    cells: chosen,
  } = readOptions(['--only', 'skopeo, docker', '--mode=proxy', '--image', 'index']);
  expect([clients, modes, chosen.map(({ image }) => image)]).toEqual([['docker', 'skopeo'], ['proxy'], ['index']]);
});

test.each([
  [['--only', 'crane'], /--only knows no "crane", only docker, podman/],
  [['--mode', 'fast'], /--mode knows no "fast"/],
  [['--image', ''], /--image knows no ""/],
  [['--write', '--only', 'docker'], /--write is for a whole run/],
  [['--nonsense'], /Usage/],
])('%j is told to be wrong', (args, message) => {
  expect(() => readOptions(args)).toThrow(OptionError);
  expect(() => readOptions(args)).toThrow(message);
});
