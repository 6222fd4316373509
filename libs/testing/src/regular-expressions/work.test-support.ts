import { RegExpParser, type AST } from '@eslint-community/regexpp';

/**
 * How many steps a backtracking engine such as V8's takes to search a text, counted and not timed. It is a small engine
 * of its own over the syntax tree of the expression: the steps are the attempts to match one node at one position.
 */
export function stepsOf(expression: RegExp, text: string, atMost = 500_000): number {
  const pattern = treeOf(expression);
  let steps = 0;

  type Then = (at: number) => boolean;

  function match(node: AST.Node, at: number, then: Then): boolean {
    steps += 1;
    if (steps > atMost) throw new RangeError(`more than ${atMost} steps`);
    switch (node.type) {
      case 'Pattern':
      case 'Group':
      case 'CapturingGroup':
        return node.alternatives.some((alternative) => match(alternative, at, then));
      case 'Alternative':
        return inTurn(node.elements, 0, at, then);
      case 'Quantifier':
        return repeat(node, 0, at, -1, then);
      case 'Assertion':
        return assertion(node, at) && then(at);
      case 'Character':
      case 'CharacterSet':
      case 'CharacterClass':
        return at < text.length && isOne(node, text[at] ?? '', expression.flags) && then(at + 1);
      default:
        throw new Error(`${node.type} in ${String(expression)}: this engine does not know it`);
    }
  }

  function inTurn(elements: readonly AST.Element[], position: number, at: number, then: Then): boolean {
    const element = elements[position];
    return element === undefined ? then(at) : match(element, at, (next) => inTurn(elements, position + 1, next, then));
  }

  function repeat(node: AST.Quantifier, times: number, at: number, before: number, then: Then): boolean {
    const goOn = () =>
      times < node.max && at !== before && match(node.element, at, (next) => repeat(node, times + 1, next, at, then));
    const stop = () => times >= node.min && then(at);
    return node.greedy ? goOn() || stop() : stop() || goOn();
  }

  function assertion(node: AST.Assertion, at: number): boolean {
    if (node.kind === 'start') return at === 0;
    if (node.kind === 'end') return at === text.length;
    if (node.kind === 'lookahead')
      return node.alternatives.some((alternative) => match(alternative, at, () => true)) !== node.negate;
    throw new Error(`${node.kind} in ${String(expression)}: this engine does not know it`);
  }

  const starts = expression.sticky ? [0] : Array.from({ length: text.length + 1 }, (_, start) => start);
  starts.some((start) => match(pattern, start, () => true));
  return steps;
}

/** Texts that are made to be expensive: a beginning that fits, something that repeats `times`, an end that does not fit. */
export function hostileTexts(expression: RegExp, times: number): string[] {
  const letters = lettersOf(expression);
  const two = letters.flatMap((first) => letters.map((second) => first + second));
  const beginnings = ['', ...prefixesOf(exampleOf(treeOf(expression), expression.flags))];
  return beginnings.flatMap((beginning) =>
    [...letters, ...two].flatMap((pump) => ['', '\u0001', '\n'].map((end) => beginning + pump.repeat(times) + end)),
  ); // prettier-ignore
}

const POOL = [...' \t\n\r"\'\\/:;,.=<>()[]{}@#%&+*~^$!?|_-aAbfxXzZ0189\u0000\u007f\u00e9\ud800'];

/** One letter of each kind that the expression can tell apart. */
function lettersOf(expression: RegExp): string[] {
  const nodes = singles(treeOf(expression));
  const literals = nodes.flatMap((node) => (node.type === 'Character' ? String.fromCodePoint(node.value) : []));
  const kinds = new Map<string, string>();
  for (const letter of [...POOL, ...literals]) {
    const kind = nodes.map((node) => (isOne(node, letter, expression.flags) ? 1 : 0)).join('');
    if (!kinds.has(kind)) kinds.set(kind, letter);
  }
  return [...kinds.values()].slice(0, 8);
}

type Single = AST.Character | AST.CharacterSet | AST.CharacterClass;

function singles(node: AST.Node): Single[] {
  if (node.type === 'Character' || node.type === 'CharacterSet' || node.type === 'CharacterClass')
    return [node as Single];
  if ('alternatives' in node) return node.alternatives.flatMap(singles);
  if (node.type === 'Alternative') return node.elements.flatMap(singles);
  return node.type === 'Quantifier' ? singles(node.element) : [];
}

/** A text that matches, every repetition taken once. */
function exampleOf(node: AST.Node, flags: string): string {
  if (node.type === 'Character' || node.type === 'CharacterSet' || node.type === 'CharacterClass')
    return POOL.find((letter) => isOne(node as Single, letter, flags)) ?? node.raw;
  if (node.type === 'Assertion') return '';
  if ('alternatives' in node) return exampleOf(node.alternatives[0] as AST.Alternative, flags);
  if (node.type === 'Alternative') return node.elements.map((element) => exampleOf(element, flags)).join('');
  return node.type === 'Quantifier' ? exampleOf(node.element, flags).repeat(Math.max(1, Math.min(node.min, 40))) : '';
}

function prefixesOf(text: string): string[] {
  return Array.from({ length: Math.min(text.length, 12) }, (_, length) => text.slice(0, length + 1));
}

const trees = new Map<string, AST.Pattern>();

function treeOf(expression: RegExp): AST.Pattern {
  const text = String(expression);
  const tree = trees.get(text) ?? new RegExpParser().parseLiteral(text).pattern;
  trees.set(text, tree);
  return tree;
}

const known = new Map<string, boolean>();

function isOne(node: Single, letter: string, flags: string): boolean {
  const key = `${flags} ${node.raw} ${letter}`;
  const found = known.get(key) ?? new RegExp(`^${node.raw}$`, flags.replace(/[gy]/g, '')).test(letter);
  known.set(key, found);
  return found;
}
