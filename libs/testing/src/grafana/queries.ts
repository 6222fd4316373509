import { readdir, readFile } from 'node:fs/promises';
import { join } from 'node:path';

/** As much of Grafana's dashboard JSON as its queries are made of. */
export interface Dashboard {
  uid: string;
  title: string;
  panels: Panel[];
  templating: { list: Variable[] };
  annotations: { list: { name: string; datasource: { uid: string }; target: { query: string } }[] };
}

export interface Panel {
  id: number;
  type: string;
  title: string;
  gridPos: { x: number; y: number; w: number; h: number };
  fieldConfig?: { defaults: { unit?: string; custom?: { spanNulls?: boolean | number } } };
  targets?: { refId: string; datasource: { uid: string }; query: string }[];
  /** Of a collapsed row. */
  panels?: Panel[];
}

export interface Variable {
  name: string;
  type: string;
  datasource: { uid: string };
  query: string;
  includeAll: boolean;
  allValue?: string;
}

/** One InfluxQL query of a dashboard, macros still in it. */
export interface DashboardQuery {
  dashboard: string;
  /** `Pulls by client, A`, `variable organization`, or `annotation Outages`. */
  where: string;
  /** Of the data source. */
  uid: string;
  query: string;
}

/** What Grafana knows when it fills a query in. */
export interface Substitutions {
  from: Date;
  to: Date;
  /** `$__interval`, such as `10s`. */
  interval: string;
  /** Chosen values by variable; one that is not named is All. */
  variables?: Readonly<Record<string, readonly string[]>>;
}

/** All dashboards of a folder (`grafana/dashboards`), by file name. */
export async function readDashboards(folder: string): Promise<Map<string, Dashboard>> {
  const files = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort();
  const dashboards = files.map(async (name): Promise<[string, Dashboard]> => {
    return [name, JSON.parse(await readFile(join(folder, name), 'utf8')) as Dashboard];
  });
  return new Map(await Promise.all(dashboards));
}

/** Every query that a dashboard makes: of variables, annotations and panels, those in collapsed rows too. */
export function queriesOf({ title, panels, templating, annotations }: Dashboard): DashboardQuery[] {
  const ofVariables = templating.list
    .filter(({ type }) => type === 'query')
    .map(({ name, datasource, query }) => ({
      dashboard: title,
      where: `variable ${name}`,
      uid: datasource.uid,
      query,
    }));
  const ofPanels = panelsOf(panels).flatMap(({ title: panel, targets = [] }) =>
    targets.map(({ refId, datasource, query }) => ({
      dashboard: title,
      where: `${panel}, ${refId}`,
      uid: datasource.uid,
      query,
    })),
  );
  const ofAnnotations = annotations.list.map(({ name, datasource, target }) => ({
    dashboard: title,
    where: `annotation ${name}`,
    uid: datasource.uid,
    query: target.query,
  }));
  return [...ofVariables, ...ofAnnotations, ...ofPanels];
}

/** All panels, those in collapsed rows too. */
export function panelsOf(panels: readonly Panel[]): Panel[] {
  return panels.flatMap((panel) => [panel, ...panelsOf(panel.panels ?? [])]);
}

/**
 * The query as Grafana sends it: `$timeFilter`, `$__interval`, `${variable:regex}`. A chosen value is escaped for a
 * regular expression and several become `(a|b)`; All is the variable's own `allValue`, put in as it stands (Grafana,
 * "Variable syntax" and "Custom all value").
 *
 * @throws when something with a `$` is left that this does not know, so that no test passes by accident
 */
export function substituted(query: string, dashboard: Dashboard, given: Substitutions): string {
  const filled = query
    .replaceAll('$timeFilter', `time >= ${given.from.getTime()}ms and time <= ${given.to.getTime()}ms`)
    .replaceAll('$__interval', given.interval)
    .replace(/\$\{(\w+):regex\}/g, (_, name: string) => {
      const variable = dashboard.templating.list.find((candidate) => candidate.name === name);
      if (!variable) throw new Error(`${dashboard.title} has no variable ${name}`);
      const chosen = given.variables?.[name];
      if (!chosen) return variable.allValue ?? '.*';
      const escaped = chosen.map((value) => value.replace(/[\\^$*+?.()|[\]{}/]/g, '\\$&'));
      return escaped.length === 1 ? String(escaped[0]) : `(${escaped.join('|')})`;
    });
  const unknown = /\$\{|\$[a-z_]/i.exec(filled);
  if (unknown) throw new Error(`not substituted in ${query}: ${filled.slice(unknown.index, unknown.index + 20)}`);
  return filled;
}
