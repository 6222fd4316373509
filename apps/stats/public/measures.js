import { capitalize, formatDimension } from './format.js';

/** The measures that stand above the chart, as far as there are such statistics; all others can be chosen, too. */
const FIRST = [
  ['pulls', 'pulls', 'Pulls'],
  ['pulls', 'checks', 'Checks'],
  ['pulls', 'downloads', 'Downloads'],
  ['pulls', 'bytes', 'Bytes'],
  ['builds', 'started', 'Builds'],
  ['mirrors', 'started', 'Mirrors'],
  ['scans', 'started', 'Scans'],
];

/** All that there is to look at: `{statistic, measure, label, summary, unit, description, first}`, the common ones first. */
export function measuresOf(descriptions) {
  const all = descriptions.flatMap((description) =>
    Object.entries(description.measures).map(([measure, { summary, unit }]) => {
      const rank = FIRST.findIndex(([statistic, name]) => statistic === description.name && name === measure);
      const label = rank < 0 ? `${capitalize(description.name)}: ${formatDimension(measure)}` : FIRST[rank][2];
      return { statistic: description.name, measure, label, summary, unit, description, rank, first: rank >= 0 };
    }),
  );
  const first = all.filter((each) => each.first).sort((a, b) => a.rank - b.rank);
  return [...first, ...all.filter((each) => !each.first)];
}

/** The one that the state names; undefined where there is none such. */
export function chosenMeasure(measures, { statistic, measure }) {
  return measures.find((each) => each.statistic === statistic && (measure === undefined || each.measure === measure));
}

export const sameMeasure = (a, b) => a?.statistic === b?.statistic && a?.measure === b?.measure;
