import { createBars } from '../bars.js';
import { el, setText, syncChildren } from '../dom.js';
import { formatDay, formatDuration, formatName, formatShare, formatValue } from '../format.js';
import { renderGaps } from '../gaps.js';
import { createPanel } from '../panel.js';
import { gapsPath, obstacleOf, queryPath } from '../questions.js';
import { rangeWords } from '../state.js';

const GAPS = 6;

/** Whether the numbers can be believed: gaps, statistics that are not whole, and the services themselves. */
export function createHealth() {
  const flow = el('p', { class: 'verdict' });
  const gaps = el('ul', { class: 'gaps' });
  const verdict = el('p', { class: 'verdict' });
  const statistics = el('ul', { class: 'gaps' });
  const services = createBars();
  const served = el('div', {}, services.element);
  return createPanel({
    title: 'Health of the flow',
    className: 'wide',
    content: el('div', { class: 'beside' }, el('div', {}, flow, gaps, verdict, statistics), served),
    plan,
    draw,
  });

  function plan({ state, descriptions }) {
    const description = descriptions.find(({ name }) => name === 'health');
    const known = description && obstacleOf(description, 'Services', ['service'], {}) === undefined;
    const ask = (measure) =>
      queryPath({ ...state, filters: {} }, { statistic: 'health', measure, by: ['service'], top: 20 });
    const paths = { checks: ask('checks'), healthy: ask('healthy'), timed: ask('timed'), time: ask('responseTimeMs') };
    return { gaps: gapsPath(state), optional: known ? paths : {} };
  }

  function draw({ gaps: { gaps: found }, ...health }, { state, descriptions }) {
    const times = found.length === 1 ? 'one gap' : `${found.length} gaps`;
    setText(flow, found.length === 0 ? 'No gaps are known in this range.' : `There are ${times} in this range; numbers of these times are not whole:`); // prettier-ignore
    renderGaps(gaps, found, GAPS);
    drawStatistics(descriptions);
    drawServices(health, state);
    return undefined;
  }

  function drawStatistics(descriptions) {
    const notes = descriptions.flatMap(notesOf);
    const whole =
      descriptions.length === 1 ? 'The one statistic is whole.' : `All ${descriptions.length} statistics are whole.`;
    setText(verdict, notes.length === 0 ? whole : 'Not all statistics are whole:');
    syncChildren(statistics, notes, {
      key: (note) => note,
      create: () => el('li', {}),
      update: setText,
    });
  }

  function drawServices({ checks, healthy, timed, time }, state) {
    const rows = checks && healthy && timed && time ? checks.rows : [];
    const of = (answer, service) => answer.rows.find((row) => row.service === service)?.value ?? 0;
    served.hidden = rows.length === 0;
    services.draw({
      caption: `Health of services, ${rangeWords(state)}`,
      columns: ['Service', 'Checks', 'Healthy', 'Response'],
      rows: rows.map(({ service, value }) => ({
        key: String(service),
        name: formatName('service', service),
        size: of(healthy, service) / value,
        cells: [
          formatValue(value),
          formatShare(of(healthy, service), value),
          meanOf(of(time, service), of(timed, service)),
        ],
      })),
    });
  }
}

const meanOf = (sum, count) => (count > 0 ? formatDuration(sum / count) : '–');

function notesOf({ name, state, since, failures, lastFailure }) {
  const from = since === undefined ? '' : ` so far from ${formatDay(since)} on`;
  return [
    ...(state === 'filling' ? [`${name} is being filled from the history${from}.`] : []),
    ...(failures > 0
      ? [`${name} could not count ${formatValue(failures)} events${lastFailure ? `: ${lastFailure}` : ''}.`]
      : []),
  ];
}
