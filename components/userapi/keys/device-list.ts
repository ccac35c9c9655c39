/** PURE. Tells others that devices or cross-signing keys of a user have changed: readers by the user, other servers by what is in it. */
import { withSignatures, type JsonObject } from '../../../pkg/matrix/e2ee/key-object.ts';
import { nameOf } from '../../../pkg/matrix/e2ee/cross-signing.ts';
import type { Draft } from '../input/draft.ts';
import type { KeySignature } from './stored-keys.ts';

const NONE = new Uint8Array(0);

/** The parts that differ from what the picture says. */
export interface ChangedDevice {
  readonly deviceId: string;
  readonly deleted?: boolean;
  readonly displayName?: string;
  /** JSON object. */
  readonly keys?: string;
  /** Own ones that are new. */
  readonly signatures?: readonly KeySignature[];
}

/** A device with keys was changed or is gone. */
export function tellDeviceChanged(draft: Draft, device: ChangedDevice): void {
  const { picture } = draft;
  const { deviceId, deleted = false } = device;
  const text = deleted ? undefined : (device.keys ?? picture.keys.devices.get(deviceId));
  const signatures = [...picture.keys.signatures, ...(device.signatures ?? [])].filter(({ targetKey }) => targetKey === deviceId);
  const keys = text === undefined ? NONE : bytesOf(signed(draft.input.userId, text, device.keys === undefined ? signatures : []));
  const displayName = deleted ? '' : (device.displayName ?? picture.devices.get(deviceId) ?? '');
  const previous = lastStreamId(draft);
  const sequence = draft.emit({ deviceList: { deviceId, deleted, displayName, keys, crossSigning: NONE, previous } });
  draft.writes.push({ kind: 'device-list', streamId: sequence, isFresh: true, sequence });
}

/** The cross-signing keys, or signatures of them, have changed. */
export function tellCrossSigningChanged(draft: Draft, keys: { readonly master: string | undefined; readonly selfSigning: string | undefined }, added: readonly KeySignature[] = []): void {
  const { userId } = draft.input;
  const shown = (text: string): JsonObject => {
    const name = nameOf(JSON.parse(text) as JsonObject);
    return signed(userId, text, [...draft.picture.keys.signatures, ...added].filter(({ targetKey }) => targetKey === name));
  };
  const content = { ...(keys.master !== undefined && { master_key: shown(keys.master) }), ...(keys.selfSigning !== undefined && { self_signing_key: shown(keys.selfSigning) }) };
  const streamId = lastStreamId(draft);
  const sequence = draft.emit({ deviceList: { deviceId: '', deleted: false, displayName: '', keys: NONE, crossSigning: bytesOf(content), previous: streamId } });
  draft.writes.push({ kind: 'device-list', streamId, isFresh: true, sequence });
}

/** Of the last change of a device, also by this input. */
function lastStreamId({ writes, picture }: Draft): number {
  const last = writes.findLast((write) => write.kind === 'device-list');
  return (last ?? picture.keys.list)?.streamId ?? 0;
}

function signed(userId: string, text: string, signatures: readonly KeySignature[]): JsonObject {
  return withSignatures(JSON.parse(text) as JsonObject, signatures.map(({ signingKey, signature }) => ({ signer: userId, keyId: signingKey, signature })));
}

function bytesOf(object: JsonObject): Uint8Array {
  return Buffer.from(JSON.stringify(object));
}
