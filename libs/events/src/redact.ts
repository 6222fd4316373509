import type { Checked } from './check';
import type { WeirEvent } from './event';
import { memo } from './memo';

/** What stands where a credential stood. */
export const REDACTED = '[redacted]';

/** Names of fields whose texts are credentials: headers, fields of OAuth 2.0 and OpenID Connect, of clouds and of Docker. */
const CREDENTIALS = new Set(
  `accesskey accesstoken apikey apitoken auth authorization authtoken bearertoken clientassertion clientsecret cookie
  credential credentials identitytoken idtoken jobtoken jwt passphrase passwd password privatekey privatetoken
  proxyauthorization refreshtoken registrytoken secret secretaccesskey secretkey sessiontoken setcookie token
  xamzsecuritytoken xapikey xauthtoken xaccesstoken xcsrftoken xgitlabtoken xregistryauth`.split(/\s+/),
);

/** Names of fields that hold the address of whoever asked: of webhooks, of access logs, and what proxies send. */
const ADDRESSES = new Set(
  `addr cfconnectingip clientaddr clientaddress clientip fastlyclientip forwarded ip ipaddr ipaddress ipv4 ipv6 peeraddr
  peeraddress peerip remoteaddr remoteaddress remoteip sourceip srcip trueclientip userip xclientip xforwarded
  xforwardedfor xoriginalforwardedfor xrealip`.split(/\s+/),
);

/** A longer name is none of them, however many dashes it has. */
const NAME_CHARACTERS = 64;

/** `user:password@` of a URL. Each try begins at a `://` and ends before the next one, so that it takes linear time. */
const USERINFO = /:\/\/[^\s/?#]+@/g;

/** A parameter, of a URL's query or fragment or of a query alone, that is a credential; also of a URL in another one's. */
const PARAMETER =
  /(^|[?&#;]|%(?:3f|26|23))((?:(?:access|refresh|id|auth|job|private)[-_]?)?token|api[-_]?key|(?:client[-_]?)?(?:secret|assertion)|auth|password|passwd|pwd|sig|signature|jwt|awsaccesskeyid|x-(?:amz|goog)-(?:signature|credential|security-token))(=|%3d)[^\s&#;"'<>]+/gi;

/**
 * The event without the credentials and addresses in it, for the edge, behind {@link checkEvent}, which has bounded its
 * depth. The event itself when there are none; the same event always becomes the same, and what has been redacted stays
 * as it is.
 *
 * - A text, or a list of texts, in a field named as credentials are is {@link REDACTED}, at any depth: exactly these
 *   names, whatever their case and their `-` and `_`. Numbers stay: `token: 12` is a count.
 * - So are user names, passwords and parameters of URLs in every text.
 * - A text, number or list of them in a field named as addresses are is left out.
 *
 * `source` and `id` are the event's identity: to change them could make one event of two. A credential there is a problem.
 */
export function redact(event: WeirEvent): Checked {
  if (isClean(event)) return { ok: true, event };
  const problems = (['id', 'source', 'type'] as const)
    .filter((field) => withoutCredentials(event[field]) !== event[field])
    .map((field) => ({ field, message: 'must not contain a credential, such as the password of a URL' }));
  return problems.length > 0 ? { ok: false, problems } : { ok: true, event: cleaned(event) as WeirEvent };
}

/** Whether all stays as it is: nearly always, so that it is worth a look that copies nothing. */
function isClean(value: unknown): boolean {
  if (typeof value === 'string') return withoutCredentials(value) === value;
  if (typeof value !== 'object' || value === null) return true;
  if (Array.isArray(value)) return value.every(isClean);
  for (const name in value) {
    const member = (value as Record<string, unknown>)[name];
    if (allowedAs(name, member) !== member || !isClean(member)) return false;
  }
  return true;
}

function cleaned(value: unknown): unknown {
  if (typeof value === 'string') return withoutCredentials(value);
  if (typeof value !== 'object' || value === null) return value;
  if (Array.isArray(value)) return value.map(cleaned);
  const members = Object.entries(value).map(([name, member]) => [name, cleaned(allowedAs(name, member))] as const);
  // Which makes a member `__proto__` one like any other.
  return Object.fromEntries(members.filter(([, member]) => member !== undefined));
}

/** What a member of this name may be; undefined when it is left out. */
function allowedAs(name: string, value: unknown): unknown {
  const kind = kindOfName(name);
  if (kind === 'credential' && isText(value)) return REDACTED;
  if (kind === 'address' && (isText(value) || typeof value === 'number')) return undefined;
  return value;
}

const kindOfName = (name: string) => (name.length <= NAME_CHARACTERS ? kindOfShortName(name) : 'other');

const kindOfShortName = memo((name: string): 'credential' | 'address' | 'other' => {
  const bare = name.replace(/[-_]/g, '').toLowerCase();
  return CREDENTIALS.has(bare) ? 'credential' : ADDRESSES.has(bare) ? 'address' : 'other';
});

/** A header that came several times is a list, of one text more often than not. */
function isText(value: unknown): boolean {
  if (Array.isArray(value)) return value.length > 0 && value.every((item) => typeof item === 'string');
  return typeof value === 'string' && value !== '';
}

function withoutCredentials(text: string): string {
  const bare = text.includes('://') ? text.replace(USERINFO, `://${REDACTED}@`) : text;
  return bare.includes('=') || bare.includes('%3') ? bare.replace(PARAMETER, `$1$2$3${REDACTED}`) : bare;
}
