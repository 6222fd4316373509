/**
 * Makes what Prometheus and Grafana read of the one list of alerts, deploy/alerts.json. `node scripts/alerts.mjs` writes
 * the files, `--check` only says whether they are fresh, and whether docs/operations.md has a section for every alert,
 * in the order of the list (exit code 1 if not). `--tests FOLDER` writes the alerts and their unit tests for promtool,
 * as Prometheus and as Grafana evaluate them.
 */
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import process from 'node:process';
import { fileURLToPath } from 'node:url';

const root = join(dirname(fileURLToPath(import.meta.url)), '..');
const GUIDE = 'docs/operations.md';
const alerts = JSON.parse(readFileSync(join(root, 'deploy/alerts.json'), 'utf8'));

const ORIGIN = '# Generated from deploy/alerts.json by node scripts/alerts.mjs.\n';
const files = {
  'deploy/prometheus/weir.rules.yml': ORIGIN + yaml(prometheusRules(alerts)),
  'grafana/provisioning/alerting/weir.yaml': ORIGIN + yaml(grafanaRules(alerts)),
};

const folder = argumentOf('--tests');
if (folder !== undefined) {
  for (const [name, alertsAs] of [
    ['prometheus', alerts],
    ['grafana', alerts.map(asGrafana)],
  ]) {
    write(join(folder, `${name}.rules.yml`), yaml(prometheusRules(alertsAs)));
    write(join(folder, `${name}.test.yml`), yaml(unitTests(alerts, `${name}.rules.yml`)));
  }
} else if (process.argv.includes('--check')) {
  const problems = [...staleFiles().map(([path]) => `${path} is stale: run \`npm run docs\``), ...guideProblems()];
  for (const problem of problems) process.stderr.write(`${problem}\n`);
  process.exitCode = problems.length > 0 ? 1 : 0;
} else {
  for (const [path, text] of staleFiles()) {
    write(join(root, path), text);
    process.stdout.write(`${path}\n`);
  }
}

function staleFiles() {
  return Object.entries(files).filter(([path, text]) => read(path) !== text);
}

function prometheusRules(list) {
  return { groups: [{ name: 'weir', rules: list.map(prometheusRule) }] };
}

function prometheusRule(alert) {
  const { name, expr, severity } = alert;
  return { alert: name, expr, for: alert.for, labels: { severity }, annotations: annotationsOf(alert) };
}

function annotationsOf({ name, summary }) {
  return { summary, runbook: `${GUIDE}#${name.toLowerCase()}` };
}

/**
 * Grafana asks Prometheus and then holds a threshold against the number that comes back. Ours are conditions, whose
 * number may be 0 (`up == 0`); what holds is made 1, and what does not is no series at all.
 */
function asGrafana(alert) {
  return { ...alert, expr: `(${alert.expr}) ^ 0` };
}

function grafanaRules(list) {
  const rules = list.map(asGrafana).map(grafanaRule);
  return { apiVersion: 1, groups: [{ orgId: 1, name: 'weir', folder: 'Weir', interval: '30s', rules }] };
}

function grafanaRule(alert) {
  const { name, expr, severity } = alert;
  const range = { from: 600, to: 0 };
  return {
    uid: name.replace(/[A-Z]/g, (letter, at) => `${at > 0 ? '-' : ''}${letter.toLowerCase()}`),
    title: name,
    condition: 'holds',
    data: [
      {
        refId: 'query',
        relativeTimeRange: range,
        datasourceUid: 'weir-prometheus',
        model: { refId: 'query', expr, instant: true, range: false },
      },
      {
        refId: 'holds',
        relativeTimeRange: range,
        datasourceUid: '__expr__',
        model: {
          refId: 'holds',
          type: 'threshold',
          expression: 'query',
          conditions: [{ evaluator: { type: 'gt', params: [0] } }],
        },
      },
    ],
    noDataState: 'OK',
    execErrState: 'Error',
    for: alert.for,
    labels: { severity },
    annotations: annotationsOf(alert),
  };
}

/** Each alert fires on its bad series, with its labels and texts, and is silent on its good ones. */
function unitTests(list, rules) {
  const tests = list.flatMap((alert) => {
    const { name, severity, labels, at = '20m' } = alert;
    const annotations = Object.entries(annotationsOf(alert)).map(([key, text]) => [key, filledIn(text, labels)]);
    const expected = { exp_labels: { ...labels, severity }, exp_annotations: Object.fromEntries(annotations) };
    const test = (what, series, alertsThen) => ({
      name: `${name} ${what}`,
      interval: '1m',
      input_series: Object.entries(series).map(([each, values]) => ({ series: each, values })),
      alert_rule_test: [{ eval_time: at, alertname: name, exp_alerts: alertsThen }],
    });
    return [test('fires', alert.fires, [expected]), test('is silent', alert.silent, [])];
  });
  return { rule_files: [rules], evaluation_interval: '1m', tests };
}

function filledIn(text, labels) {
  return text.replace(/\{\{ \$labels\.(\w+) \}\}/g, (_, label) => labels[label]);
}

/** A section is `### Name`, and its first line says how bad it is and how long it lasts: `**critical**, after 1m.` */
function guideProblems() {
  const sections = [...(read(GUIDE) ?? '').matchAll(/^### (Weir\w+)\n\n(.*)$/gm)];
  const [have, want] = [sections.map(([, name]) => name), alerts.map(({ name }) => name)];
  const missing = want.filter((name) => !have.includes(name)).map((name) => `${GUIDE} has no section ### ${name}`);
  const unknown = have.filter((name) => !want.includes(name)).map((name) => `${GUIDE}: there is no alert ${name}`);
  const disordered = missing.length + unknown.length === 0 && have.some((name, at) => name !== want[at]);
  const order = disordered ? [`${GUIDE}: the alerts are in another order than in deploy/alerts.json`] : [];
  const wrong = sections.flatMap(([, name, line]) => {
    const alert = alerts.find((each) => each.name === name);
    const begin = alert && `**${alert.severity}**, ${alert.for === '0m' ? 'at once' : `after ${alert.for}`}. `;
    return alert && !line.startsWith(begin) ? [`${GUIDE}: the section of ${name} must begin with "${begin}"`] : [];
  });
  return [...missing, ...unknown, ...order, ...wrong];
}

/** As much of YAML as is needed: texts are always quoted, in the way of JSON, which YAML reads as well. */
function yaml(value, indent = '') {
  if (Array.isArray(value)) {
    if (value.length === 0) return `${indent}[]\n`;
    return value.map((item) => `${indent}- ${yaml(item, `${indent}  `).trimStart()}`).join('');
  }
  if (typeof value !== 'object') return `${indent}${JSON.stringify(value)}\n`;
  return Object.entries(value)
    .map(([key, item]) => {
      const simple = typeof item !== 'object' || (Array.isArray(item) && item.length === 0);
      return simple ? `${indent}${key}: ${JSON.stringify(item)}\n` : `${indent}${key}:\n${yaml(item, `${indent}  `)}`;
    })
    .join('');
}

function argumentOf(name) {
  const at = process.argv.indexOf(name);
  return at < 0 ? undefined : process.argv[at + 1];
}

function read(path) {
  const file = join(root, path);
  return existsSync(file) ? readFileSync(file, 'utf8') : undefined;
}

function write(file, text) {
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
