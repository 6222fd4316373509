import { bestMatch } from './media-type';

test.each<[string | undefined, string | undefined]>([
  ['*/*', 'application/json'],
  ['text/csv', 'text/csv'],
  ['text/*', 'text/json'],
  ['application/csv;q=0.5,text/json;q=0.9', 'text/json'],
  ['text/csv, application/json', 'application/json'],
  ['text/html,*/*;q=0.8', 'application/json'],
  ['text/html', undefined],
  ['application/xml', undefined],
  [undefined, undefined],
])('the peer’s: %s is answered in %s', (accept, media) => expect(bestMatch(accept)).toBe(media));

test.each<[string, string | undefined]>([
  ['', undefined],
  ['TEXT/CSV', 'text/csv'],
  ['text/csv ; q=0.4 , */* ; q=0.1', 'text/csv'],
  ['application/json;q=0, */*', 'text/json'],
  ['*/*;q=0', undefined],
  ['text/*;q=0.9, text/json;q=0.1, application/csv;q=0.5', 'text/javascript'],
  ['application/json;q=2', undefined],
  ['application/json;q=x, text/csv;q=0.001', 'text/csv'],
  ['application/json;version=1', 'application/json'],
])('%j is answered in %s', (accept, media) => expect(bestMatch(accept)).toBe(media));
