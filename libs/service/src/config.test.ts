import { z } from 'zod';
import { amqpUrl, brokersOf, ConfigError, flag, integer, list, port, readConfig, text, variable } from './index';

const variables = {
  BUS_URL: variable(amqpUrl(), { description: 'the broker' }),
  LISTEN_PORT: variable(port().default(8080), { description: 'where to listen' }),
  COUNT: variable(integer(1, 10, 'events').default(5), { description: 'how many' }),
  NAMES: variable(list().default([]), { description: 'names' }),
  STRICT: variable(flag().default(false), { description: 'strictness' }),
  MODE: variable(z.enum(['a', 'b'], 'must be a or b').optional(), { description: 'mode' }),
  SECRET: variable(
    text()
      .regex(/^[a-f0-9]{64}$/, 'must be 64 hexadecimal digits')
      .optional(),
    {
      description: 'a secret',
      secret: true,
    },
  ),
};

test('values are read, defaults fill in, and an empty value counts as unset', () => {
  expect(readConfig(variables, { BUS_URL: 'amqp://localhost', NAMES: 'a, b,,c', COUNT: '', STRICT: 'true' })).toEqual({
    BUS_URL: 'amqp://localhost',
    LISTEN_PORT: 8080,
    COUNT: 5,
    NAMES: ['a', 'b', 'c'],
    STRICT: true,
    MODE: undefined,
    SECRET: undefined,
  });
});

test('five mistakes are five lines of one report, each with its variable and what is allowed', () => {
  const read = () =>
    readConfig(variables, { LISTEN_PORT: '70000', COUNT: '11', STRICT: 'yes', MODE: 'c', SECRET: 'hunter2' });
  expect(read).toThrow(ConfigError);
  const report = (() => {
    try {
      read();
    } catch (error) {
      return (error as Error).message;
    }
    return '';
  })();
  expect(report.split('\n')).toEqual([
    'The configuration has 6 mistakes:',
    '  BUS_URL: is missing; the broker',
    '  LISTEN_PORT: must be a port, 0 to 65535',
    '  COUNT: must be 1 to 10 events',
    '  STRICT: must be true or false',
    '  MODE: must be a or b',
    '  SECRET: must be 64 hexadecimal digits',
  ]);
  expect(report).not.toContain('hunter2');
});

test('a URL without // is a mistake: what follows is no host', () => {
  for (const value of ['amqp:broker', 'broker:5672', 'amqp:/broker'])
    expect(() => readConfig(variables, { BUS_URL: value })).toThrow(/BUS_URL: must be a URL such as amqp:/);
  expect(readConfig(variables, { BUS_URL: 'amqps://a:b%2F@[::1]:5671/v%2F' })).toMatchObject({
    BUS_URL: 'amqps://a:b%2F@[::1]:5671/v%2F',
  });
});

test('several brokers are several URLs, each of them looked at, and no password is repeated', () => {
  const three = 'amqp://u:p,w@a:5672/v, amqps://u:hunter2@b,amqp://u:p@c:5673/v';
  expect(brokersOf(three)).toEqual(['amqp://u:p,w@a:5672/v', 'amqps://u:hunter2@b', 'amqp://u:p@c:5673/v']);
  const complaint = (value: string) => {
    try {
      return String(readConfig(variables, { BUS_URL: value }).BUS_URL);
    } catch (error) {
      return (error as Error).message;
    }
  };
  expect(complaint('amqp://a,amqp://b:5673,amqps://c')).toBe('amqp://a,amqp://b:5673,amqps://c');
  expect(complaint('amqp://u:hunter2@a:5672,amqp:u:hunter2@b,amqp://c:99999')).toBe(
    'The configuration has 1 mistake:\n' +
      '  BUS_URL: must be a URL such as amqp://user:password@host:5672; number 2 of 3 is not; ' +
      'must be a URL such as amqp://user:password@host:5672; number 3 of 3 is not',
  );
  expect(complaint('amqp://u:hunter2@a,broker-b')).toMatch(
    /BUS_URL: must be a URL such as amqp:.*, or several of them with commas between$/,
  );
  expect(complaint(three)).toBe(
    'The configuration has 1 mistake:\n  BUS_URL: must name one virtual host, the same in every URL: several brokers are one cluster',
  );
});
