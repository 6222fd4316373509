import stringWidth from 'string-width';
import { cutTo, fitted, wrapped, type Column } from './layout';

const plain = (text: string) => text;
const widest = (text: string) => Math.max(...text.split('\n').map((line) => stringWidth(line)));

const columns: Column[] = [
  { head: 'organization', cells: ['seqera.io', '株式会社コンテナ登録所', 'x'.repeat(100)], least: 6 },
  { head: 'pulls', cells: ['1,234', '56', '7'], right: true },
  { head: 'change', cells: ['+5 %', '', 'new'], right: true, optional: true },
];

describe('a table', () => {
  test.each([40, 60, 80, 120, 200])('of %d columns is no wider, whatever the names', (width) => {
    const text = fitted(columns, width, { values: [1234, 56, 7], paint: plain });
    expect(widest(text)).toBeLessThanOrEqual(width);
    for (const line of text.split('\n')) expect(stringWidth(line)).toBe(widest(text)); // its right border is straight
    expect(text).toContain('1,234');
  });

  test('leaves out what is optional before it shortens names beyond use, and the bars first of all', () => {
    const narrow = fitted(columns, 24, { values: [1234, 56, 7], paint: plain });
    expect(widest(narrow)).toBeLessThanOrEqual(24);
    expect(narrow).not.toContain('change');
    expect(narrow).not.toContain('█');
    expect(narrow).toContain('1,234');
  });

  test('numbers stand on the right, and the largest has the longest bar', () => {
    const lines = fitted(columns.slice(1, 2), 40, { values: [1234, 617, 0], paint: plain }).split('\n');
    expect(lines.slice(2, 5)).toEqual([
      `│ 1,234 │ ${'█'.repeat(28)} │`,
      `│    56 │ ${'█'.repeat(14)}${' '.repeat(14)} │`,
      `│     7 │ ${' '.repeat(28)} │`,
    ]);
  });
});

test('text is cut by the columns it takes, and no character in two', () => {
  expect(cutTo('seqera.io', 9)).toBe('seqera.io');
  expect(cutTo('seqera.io', 5)).toBe('seqe…');
  expect(cutTo('株式会社', 6)).toBe('株式…');
  expect(cutTo('👩‍🚀👩‍🚀👩‍🚀', 4)).toBe('👩‍🚀…');
  expect(cutTo('abc', 0)).toBe('');
});

test('sentences are broken between words, and a word that is longer than the line is cut', () => {
  expect(wrapped('one two three', 7)).toEqual(['one two', 'three']);
  expect(wrapped('a verylongword b', 6)).toEqual(['a', 'veryl…', 'b']);
  expect(wrapped('', 10)).toEqual(['']);
});
