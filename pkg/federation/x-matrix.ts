/** The Authorization header of requests between servers (spec: server-server, "Request Authentication"). */
import { decodeBase64, encodeBase64 } from '../matrix/canonical-json/base64.ts';
import { canonicalJson, CanonicalJsonError, tolerantJson } from '../matrix/canonical-json/canonical-json.ts';
import { isServerName } from '../matrix/ids/server-name.ts';
import { verifySignature } from '../matrix/signing/signing-key.ts';
import type { SigningKey } from '../matrix/signing/signing-key.ts';

/** What is signed about a request. */
export interface SignedParts {
  readonly method: string;
  /** The request target: path and query as on the wire. */
  readonly uri: string;
  /** Server name of the asking server. */
  readonly origin: string;
  /** Server name of the asked server. */
  readonly destination: string;
}

/** One signature over the request. */
export interface Credential {
  readonly keyId: string;
  readonly signature: Uint8Array;
}

/** What the X-Matrix headers of a request say together. */
export interface Authorization {
  readonly origin: string;
  /** Older servers leave it out. */
  readonly destination: string | undefined;
  readonly credentials: readonly Credential[];
}

export interface XMatrixParameters {
  readonly origin: string;
  readonly destination?: string;
  readonly key: string;
  readonly sig: string;
}

/** Why a request is not authentic; all of them are answered with 401. */
export type Refusal = 'missing' | 'malformed' | 'wrong-destination' | 'unknown-key' | 'bad-signature';

/** Signatures that are looked at in one request: each costs a check. */
export const CREDENTIALS_MAX = 8;
const SCHEME = /[ \t]*X-Matrix[ \t]+/iy;
/** A token of RFC 9110, section 5.6.2, and the colon, which older servers leave unquoted; `/`, `=` and brackets too, as base64 and IPv6 addresses have them. */
const PARAMETER = /([!#$%&'*+.^_`|~0-9A-Za-z-]+)[ \t]*=[ \t]*(?:"((?:[^"\\]|\\.)*)"|([!#$%&'*+.^_`|~0-9A-Za-z:/=[\]-]+))/sy;
const COMMA = /[ \t]*,[ \t]*/y;
const NEEDS_ESCAPE = /["\\]/g;

/** The header's value. Values of well-formed names need no backslashes, which older servers do not understand. */
export function formatXMatrix({ origin, destination, key, sig }: XMatrixParameters): string {
  const pairs = [['origin', origin], ...(destination === undefined ? [] : [['destination', destination]]), ['key', key], ['sig', sig]];
  return `X-Matrix ${pairs.map(([name, value = '']) => `${name}="${value.replace(NEEDS_ESCAPE, '\\$&')}"`).join(',')}`;
}

/** The header's value for a request whose JSON body, if it has one, is exactly the canonical JSON `contentText`. */
export function signRequest(parts: SignedParts, contentText: string | undefined, key: SigningKey): string {
  const sig = encodeBase64(key.sign(Buffer.from(signedRequestText(parts, contentText))));
  return formatXMatrix({ origin: parts.origin, destination: parts.destination, key: key.keyId, sig });
}

/** Canonical JSON of the object that is signed. `content` sorts before the other keys, so a text that is canonical already is put in as it is. */
function signedRequestText(parts: SignedParts, contentText: string | undefined): string {
  const { method, uri, origin, destination } = parts;
  const rest = canonicalJson({ method, uri, origin, destination });
  return contentText === undefined ? rest : `{"content":${contentText},${rest.slice(1)}`;
}

/**
 * What the Authorization headers say: `values` are all headers of that name, each with one X-Matrix credential, or several after commas. Other schemes are passed over.
 * `missing` when there is no X-Matrix header; `malformed` when one cannot be read, lacks a parameter, has one twice, or when they contradict each other.
 */
export function parseAuthorization(values: readonly string[]): Authorization | 'missing' | 'malformed' {
  const all: XMatrixParameters[] = [];
  for (const value of values) {
    SCHEME.lastIndex = 0;
    if (!SCHEME.test(value)) continue;
    const parsed = parseXMatrix(value);
    if (parsed === undefined) return 'malformed';
    all.push(...parsed);
  }
  const [first] = all;
  if (first === undefined) return 'missing';
  if (all.length > CREDENTIALS_MAX || !isServerName(first.origin)) return 'malformed';
  const credentials: Credential[] = [];
  for (const { origin, destination, key, sig } of all) {
    const signature = decodeBase64(sig);
    if (signature === undefined || origin !== first.origin || destination !== first.destination) return 'malformed';
    credentials.push({ keyId: key, signature });
  }
  return { origin: first.origin, destination: first.destination, credentials };
}

/** The credentials in one header; undefined when it is not in the form of RFC 9110, section 11.4, or lacks a parameter. Unknown parameters are passed over. */
export function parseXMatrix(value: string): XMatrixParameters[] | undefined {
  const found: XMatrixParameters[] = [];
  let parameters: Map<string, string> | undefined;
  let at = 0;
  const take = (pattern: RegExp): RegExpExecArray | null => {
    pattern.lastIndex = at;
    const match = pattern.exec(value);
    if (match !== null) at = pattern.lastIndex;
    return match;
  };
  const finish = (): boolean => {
    const whole = parameters === undefined ? undefined : wholeParameters(parameters);
    if (whole !== undefined) found.push(whole);
    return whole !== undefined;
  };
  for (;;) {
    if (take(SCHEME) !== null) {
      if (parameters !== undefined && !finish()) return undefined;
      parameters = new Map();
    }
    const match = take(PARAMETER);
    if (match === null || parameters === undefined) return undefined;
    const [, name = '', quoted, plain = ''] = match;
    if (parameters.has(name.toLowerCase())) return undefined;
    parameters.set(name.toLowerCase(), quoted === undefined ? plain : quoted.replace(/\\(.)/gs, '$1'));
    if (take(COMMA) === null) break;
  }
  return value.slice(at).trim() === '' && finish() ? found : undefined;
}

function wholeParameters(parameters: ReadonlyMap<string, string>): XMatrixParameters | undefined {
  const [origin, destination, key, sig] = ['origin', 'destination', 'key', 'sig'].map((name) => parameters.get(name));
  return origin === undefined || key === undefined || sig === undefined ? undefined : { origin, destination, key, sig };
}

/** A request as it came in. */
export interface ReceivedRequest {
  readonly method: string;
  /** The request target as received, nothing decoded. */
  readonly uri: string;
  /** The body as received, UTF-8, which is a JSON object; undefined when there is none. */
  readonly bodyText: string | undefined;
}

/**
 * Whether the request comes from `authorization.origin`: one signature that is valid under a key of that server suffices. `publicKeyOf` gives the 32 bytes of a key
 * that may sign requests now, or undefined. Result: undefined when it does, else why not; with `unknown-key` fetching the keys may help.
 *
 * The body is taken as it came first: nearly all servers send the very text that they signed, and then numbers that have no canonical form here (fractions, which some
 * servers let through in ephemeral data) do no harm. Only when that fails is the canonical form made.
 */
export function verifyRequest(
  authorization: Authorization,
  received: ReceivedRequest,
  context: { ownServerName: string; publicKeyOf: (keyId: string) => Uint8Array | undefined },
): Refusal | undefined {
  const { origin, destination, credentials } = authorization;
  if (destination !== undefined && destination !== context.ownServerName) return 'wrong-destination';
  const parts: SignedParts = { method: received.method, uri: received.uri, origin, destination: context.ownServerName };
  const known = credentials.flatMap(({ keyId, signature }) => {
    const publicKey = context.publicKeyOf(keyId);
    return publicKey === undefined ? [] : [{ publicKey, signature }];
  });
  if (known.length === 0) return 'unknown-key';
  for (const text of possibleTexts(parts, received.bodyText)) {
    const bytes = Buffer.from(text);
    if (known.some(({ publicKey, signature }) => verifySignature(publicKey, bytes, signature))) return undefined;
  }
  return 'bad-signature';
}

/** What the origin may have signed, the likely one first. */
function* possibleTexts(parts: SignedParts, bodyText: string | undefined): Generator<string> {
  yield signedRequestText(parts, bodyText);
  if (bodyText === undefined) return;
  try {
    const canonical = tolerantJson(JSON.parse(bodyText));
    if (canonical !== bodyText) yield signedRequestText(parts, canonical);
  } catch (error) {
    if (!(error instanceof CanonicalJsonError) && !(error instanceof SyntaxError)) throw error;
  }
}
