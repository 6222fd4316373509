import { z } from 'zod';
import type { StatsAccess } from '../endpoints';
import { CliError, clean, exitCodes } from '../io';

/** A problem document (RFC 9457) of the read API; what Wave's paths say is `message`. */
const problem = z.looseObject({
  title: z.string().optional().catch(undefined),
  detail: z.string().optional().catch(undefined),
  message: z.string().optional().catch(undefined),
  errors: z
    .array(
      z.looseObject({
        parameter: z.string().optional(),
        field: z.string().optional(),
        message: z.string(),
        allowed: z.union([z.string(), z.array(z.union([z.string(), z.number()]))]).nullish(),
      }),
    )
    .optional()
    .catch(undefined),
});
type Problem = z.infer<typeof problem>;

/** What the read API refused, in a line that says what to do next. */
export function refusal(origin: string, status: number, body: string, { authorization }: StatsAccess): CliError {
  const said = read(body);
  const reason = reasonOf(said);
  if (status === 401) {
    const advice = authorization
      ? 'check STATS_USER and STATS_PASSWORD, or STATS_KEY'
      : 'set STATS_USER and STATS_PASSWORD, or STATS_KEY';
    return new CliError(`${origin} does not know who asks: ${advice}`);
  }
  if (status === 403) {
    return new CliError(
      `${origin} does not let this account ask that${reason ? ` (${reason})` : ''}: ask for less, or with another`,
    );
  }
  if (status >= 500 || status === 429) {
    const text = reason ?? 'it gives no reason';
    return new CliError(
      `${origin} cannot answer now (${status}): ${text}; its /readyz says what it lacks`,
      exitCodes.unavailable,
    );
  }
  if (!said) {
    return new CliError(
      `${origin} answered ${status}, not as the read API of Weir: is STATS_URL right?`,
      exitCodes.configuration,
    );
  }
  return new CliError(reason ?? `${origin} answered ${status} without a reason`, exitCodes.usage);
}

function read(body: string): Problem | undefined {
  try {
    return problem.parse(JSON.parse(body));
  } catch {
    return undefined;
  }
}

/** Of all that is wrong, the parameter, what was wrong with it and what is allowed. */
function reasonOf(said: Problem | undefined): string | undefined {
  const errors = (said?.errors ?? []).slice(0, 10).map(({ parameter, field, message, allowed }) => {
    const name = clean(parameter ?? field ?? '', 80);
    const list = Array.isArray(allowed) ? allowed.slice(0, 60).join(', ') : (allowed ?? '');
    const may = list === '' || message.includes(list) ? '' : `; allowed: ${clean(list, 600)}`;
    return `${name === '' ? '' : `${name}: `}${clean(message, 300)}${may}`;
  });
  if (errors.length > 0) return errors.join('; ');
  const text = said?.detail ?? said?.message ?? said?.title;
  return text === undefined ? undefined : clean(text, 400).replace(/\.$/, '');
}
