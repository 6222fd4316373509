import { between, markdownTable } from './markdown';

test('a page takes a table between its marks, again and again', () => {
  const once = between('a\n<!-- x -->\n<!-- /x -->\nb\n', 'x', markdownTable([['head'], ['1']]));
  expect(once).toBe('a\n<!-- x -->\n\n| head |\n| ---- |\n| 1    |\n\n<!-- /x -->\nb\n');
  expect(between(once, 'x', '2')).toBe('a\n<!-- x -->\n\n2\n\n<!-- /x -->\nb\n');
  expect(() => between('a', 'x', '')).toThrow(/lacks the marks/);
});
