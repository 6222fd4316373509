import { trackerTime } from './tracker-time';

const NOW = 1_471_910_461_500; // 2016-08-23T00:01:01.5Z
const seconds = Math.floor(NOW / 1000);

test.each<[string, number]>([
  ['now', seconds],
  ['0', 0],
  ['1471910400', 1_471_910_400],
  ['0001471910400', 1_471_910_400],
  ['now-1h', seconds - 3600],
  ['now-5d', seconds - 5 * 86_400],
  ['now-1d+4h', seconds - 20 * 3600],
  ['now-1m', seconds - 60],
  ['now-30s', seconds - 30],
  ['now+2h-1m', seconds + 7140],
  ['now-501ms', seconds - 1],
  ['now-500ms', seconds],
  ['now-99999d', seconds - 99_999 * 86_400],
  [`now${'-1s'.repeat(5000)}`, seconds - 5000],
])('%.20s is %d', (text, time) => expect(trackerTime(text, NOW)).toBe(time));

test.each([
  '', 'NOW', 'Now-1h', 'now-1', 'now1h', 'now-h', 'now -1h', 'now-6h 30m', 'now 2h-1m', 'now-1w', 'now-1M', 'now-1y', 'now-1d/d', 'now-1.5h',
  '-1', '1.5', '1e9', '2016-08-23', '2016-08-23T00:00:00Z', ' 5', '٣', '99999999999999999999', 'now-99999999999999999999d',
])('%j is no time', (text) => expect(trackerTime(text, NOW)).toBeUndefined()); // prettier-ignore
