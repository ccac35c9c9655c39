/** PURE. Keys by which users sign keys, and signatures by them. */
import { canonicalJson } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { checkSignatures } from '../../../pkg/matrix/e2ee/check-signatures.ts';
import { crossSigningProblem, isSameKey, isSignedByMaster, nameOf, USAGES, type CrossSigningKeys, type Usage } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import { isObject, type JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import { accepted, rejected, type Draft, type Verdict } from '../input/draft.ts';
import { tellCrossSigningChanged, tellDeviceChanged } from './device-list.ts';
import type { KeyFacts } from './key-facts.ts';

const KEY_BYTES_MAX = 8 * 1024;
/** Own ones of own keys, and those of other users' master keys, in one request. */
const SIGNATURES_MAX = 1000;

/** Client-Server API, "POST /keys/device_signing/upload". What replaces a key needs the user's confirmation; the same keys again change nothing. */
export function decideUploadCrossSigning(draft: Draft, { keys, mayReplace }: NonNullable<UserInput['uploadCrossSigning']>): Verdict {
  const before = crossSigningOf(draft.picture.keys);
  const wanted = wantedKeys(draft.input.userId, JSON.parse(Buffer.from(keys).toString('utf8')) as JsonObject);
  if ('kind' in wanted) return wanted;
  const fresh = USAGES.filter((usage) => wanted[usage] !== undefined && !isSameKey(wanted[usage], before[usage]));
  const master = wanted.master ?? before.master;
  if (master === undefined) return rejected(400, 'M_MISSING_PARAM', 'There is no master key');
  if (fresh.length === 0) return accepted(draft);
  if (before.master !== undefined && !mayReplace) return rejected(403, 'M_FORBIDDEN', 'There are cross-signing keys already; replacing them has to be confirmed');
  const problem = signatureProblem(draft, wanted, master);
  if (problem !== undefined) return problem;
  replaceKeys(draft, { before, wanted, fresh });
  return accepted(draft);
}

function wantedKeys(userId: string, body: JsonObject): CrossSigningKeys | Verdict {
  const wanted: { [usage in Usage]?: JsonObject } = {};
  for (const usage of USAGES) {
    const key = body[`${usage}_key`];
    if (key === undefined) continue;
    const problem = crossSigningProblem(key, userId, usage);
    if (problem !== undefined) return rejected(400, problem.errcode, problem.error);
    wanted[usage] = key as JsonObject;
  }
  return wanted;
}

function signatureProblem({ picture, input: { userId } }: Draft, wanted: CrossSigningKeys, master: JsonObject): Verdict | undefined {
  for (const usage of USAGES) {
    const key = wanted[usage];
    if (key === undefined) continue;
    if (Buffer.byteLength(JSON.stringify(key)) > KEY_BYTES_MAX) return rejected(413, 'M_TOO_LARGE', `A key has at most ${KEY_BYTES_MAX} bytes`);
    if (picture.devices.has(nameOf(key)!)) return rejected(403, 'M_FORBIDDEN', 'A device has the same name as the key');
    if (usage !== 'master' && !isSignedByMaster(key, userId, master)) return rejected(400, 'M_INVALID_SIGNATURE', `${usage}_key is not signed by the master key`);
  }
  return undefined;
}

/** With another master key, the keys that the one before has signed are worth nothing. */
function replaceKeys(draft: Draft, { before, wanted, fresh }: { before: CrossSigningKeys; wanted: CrossSigningKeys; fresh: readonly Usage[] }): void {
  const isOtherMaster = fresh.includes('master') && before.master !== undefined;
  const gone = USAGES.filter((usage) => before[usage] !== undefined && (fresh.includes(usage) || (isOtherMaster && wanted[usage] === undefined)));
  const names = gone.flatMap((usage) => nameOf(before[usage]) ?? []);
  if (names.length > 0) draft.writes.push({ kind: 'signatures-gone', targetKeys: names, signingKeys: names.map((name) => `ed25519:${name}`) });
  for (const usage of USAGES) {
    if (fresh.includes(usage)) draft.writes.push({ kind: 'cross-signing', usage, key: canonicalJson(wanted[usage]!) });
    else if (gone.includes(usage)) draft.writes.push({ kind: 'cross-signing', usage, key: '' });
  }
  const now = (usage: Usage): string | undefined => (fresh.includes(usage) ? canonicalJson(wanted[usage]!) : gone.includes(usage) ? undefined : draft.picture.keys.crossSigning.get(usage));
  tellCrossSigningChanged(draft, { master: now('master'), selfSigning: now('self_signing') });
}

/** Client-Server API, "POST /keys/signatures/upload": those that are right are kept, of the others is said what is wrong. */
export function decideUploadSignatures(draft: Draft, { signatures, masters }: NonNullable<UserInput['uploadSignatures']>): Verdict {
  const wanted = JSON.parse(Buffer.from(signatures).toString('utf8')) as JsonObject;
  const asked = Object.values(wanted).reduce((sum: number, keys) => sum + (isObject(keys) ? Object.keys(keys).length : 0), 0);
  if (asked > SIGNATURES_MAX) return rejected(413, 'M_TOO_LARGE', `At most ${SIGNATURES_MAX} keys are signed at once`);
  const { keys } = draft.picture;
  const { userId } = draft.input;
  const devices = new Map([...keys.devices].map(([deviceId, text]) => [deviceId, JSON.parse(text) as JsonObject]));
  const checked = checkSignatures(wanted, { userId, crossSigning: crossSigningOf(keys), devices, masters: JSON.parse(Buffer.from(masters).toString('utf8')) as Record<string, JsonObject> });
  const known = new Set(keys.signatures.map((one) => JSON.stringify([one.targetKey, one.signingKey, one.signature])));
  const good = checked.good.filter((one) => one.targetUser !== userId || !known.has(JSON.stringify([one.targetKey, one.signingKey, one.signature])));
  if (good.length > 0) draft.writes.push({ kind: 'signatures', signatures: good });
  const own = good.filter(({ targetUser }) => targetUser === userId);
  for (const deviceId of new Set(own.map(({ targetKey }) => targetKey))) if (devices.has(deviceId)) tellDeviceChanged(draft, { deviceId, signatures: own });
  // What was signed of another user is only for the user: their other devices have to look.
  if (good.some(({ targetUser, targetKey }) => targetUser !== userId || !devices.has(targetKey))) {
    tellCrossSigningChanged(draft, { master: keys.crossSigning.get('master'), selfSigning: keys.crossSigning.get('self_signing') }, own);
  }
  return accepted(draft, { failures: checked.failures });
}

function crossSigningOf(facts: KeyFacts): CrossSigningKeys {
  return Object.fromEntries([...facts.crossSigning].map(([usage, text]) => [usage, JSON.parse(text) as JsonObject]));
}
