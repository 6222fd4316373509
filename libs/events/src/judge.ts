import { z } from 'zod';

/** Whether a value is one that the schema accepts. False says nothing: ask the schema itself, which also says why. */
export type Judge = (value: unknown) => boolean;

type JsonSchema = z.core.JSONSchema.BaseSchema;

/**
 * A judge of nearly all values that a schema accepts, which makes no copy of them, as the schema does: a fifth of the
 * time and none of the garbage. It is made of the schema's own JSON Schema, and takes no value for good because of a
 * keyword that it does not know.
 */
export function judgeOf(schema: z.ZodType): Judge {
  const override: NonNullable<Parameters<typeof z.toJSONSchema>[1]>['override'] = ({ zodSchema, jsonSchema }) => {
    if (zodSchema._zod.def.type === 'undefined') jsonSchema.not = {};
    for (const { _zod } of zodSchema._zod.def.checks ?? []) {
      const { check, pattern } = _zod.def as { check: string; pattern?: RegExp };
      if (pattern) expressions.set(pattern.source, pattern);
      // JSON Schema has no word for it.
      if (check === 'custom') jsonSchema.not = {};
    }
  };
  return compiled(z.toJSONSchema(schema, { io: 'input', unrepresentable: 'any', override }));
}

/** Those of the schemas, by their sources: none is made of a text, so that all can be looked at. */
const expressions = new Map<string, RegExp>();

const never: Judge = () => false;
const SAID = new Set(['$schema', 'description', 'type']);

function compiled(schema: JsonSchema): Judge {
  const ofType = typeof schema.type === 'string' ? TYPES[schema.type] : undefined;
  const judges = ofType ? [ofType(schema)] : [];
  for (const [keyword, said] of Object.entries(schema)) {
    if (SAID.has(keyword) || (ofType && OF_TYPES.has(keyword))) continue;
    judges.push(KEYWORDS[keyword]?.(said) ?? never);
  }
  const [first = never, second, ...others] = judges;
  if (!second) return first;
  return (value) => first(value) && second(value) && others.every((judge) => judge(value));
}

/** Keywords that the judges of types have seen to. */
const OF_TYPES = new Set([
  'minLength', 'maxLength', 'minimum', 'maximum', 'maxItems', 'items', 'properties', 'required', 'additionalProperties',
]); // prettier-ignore

/** Each of a schema that has nothing else than that type and these keywords. */
const TYPES: Readonly<Record<string, (schema: JsonSchema) => Judge>> = {
  string({ minLength = 0, maxLength = Infinity }) {
    return (value) => typeof value === 'string' && value.length >= minLength && value.length <= maxLength;
  },
  number({ minimum = -Infinity, maximum = Infinity }) {
    return (value) => typeof value === 'number' && Number.isFinite(value) && value >= minimum && value <= maximum;
  },
  integer({ minimum = -Infinity, maximum = Infinity }) {
    return (value) => Number.isSafeInteger(value) && (value as number) >= minimum && (value as number) <= maximum;
  },
  boolean: () => (value) => typeof value === 'boolean',
  array({ items, maxItems = Infinity }) {
    const ofItem = typeof items === 'object' && !Array.isArray(items) ? compiled(items) : never;
    return (value) => Array.isArray(value) && value.length <= maxItems && value.every(ofItem);
  },
  object: ofObject,
};

const KEYWORDS: Readonly<Record<string, (said: unknown) => Judge>> = {
  pattern(said) {
    const expression = expressions.get(said as string);
    return expression ? (value) => expression.test(value as string) : never;
  },
  allOf(said) {
    const judges = (said as JsonSchema[]).map(compiled);
    return (value) => judges.every((judge) => judge(value));
  },
  enum: (said) => (value) => (said as unknown[]).includes(value),
  const: (said) => (value) => value === said,
};

function ofObject({ properties = {}, required = [], additionalProperties = {} }: JsonSchema): Judge {
  if (JSON.stringify(additionalProperties) !== '{}') return never;
  const members = new Map(
    Object.entries(properties).map(([name, of]) => {
      return [name, { judge: typeof of === 'object' ? compiled(of) : never, needed: required.includes(name) }];
    }),
  );
  return (value) => {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) return false;
    let missing = required.length;
    // Those that it has: of those that it could have, most are absent.
    for (const name in value) {
      const member = (value as Record<string, unknown>)[name];
      const known = member === undefined ? undefined : members.get(name);
      if (known && !known.judge(member)) return false;
      if (known?.needed) missing -= 1;
    }
    return missing === 0;
  };
}
