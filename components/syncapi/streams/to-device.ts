/**
 * Messages for the device that asks. They stay with the owner of its user until the device comes back with the token of an answer that had them: so an answer that is lost loses none, and a token
 * says exactly up to where the device has them. The token names the device too: with that of another device all that waits is told.
 */
import { hash } from 'node:crypto';
import { withTimeLimit } from '../../../pkg/runtime/time-limit.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import type { ReadDeps } from '../sync/deps.ts';
import type { SyncScope } from '../sync/scope.ts';
import type { SyncPosition, ToDevicePlace } from '../token/sync-token.ts';

/** As many as the spec recommends. */
const MESSAGES_MAX = 100;
/** How long an answer waits for the owner to delete what was acknowledged; after that the next token says it again. */
const ACKNOWLEDGING_MS_MAX = 2000;

export interface ToDeviceNews {
  /** JSON texts. */
  readonly events: readonly string[];
  /** undefined: the client that asks is no device. */
  readonly place: ToDevicePlace | undefined;
}

type WhoAndWhen = Pick<SyncScope, 'userId' | 'deviceId' | 'partition' | 'since' | 'now' | 'acknowledged'>;

/** What is new to the device, as many as go into one answer. A scope without `acknowledged` is about other things: the place stays as it is. */
export async function loadToDevice(deps: Pick<ReadDeps, 'userQuery'>, scope: WhoAndWhen): Promise<ToDeviceNews> {
  const { userId, deviceId, since, now } = scope;
  if (scope.acknowledged === undefined || deviceId === '') return { events: [], place: since?.toDevice };
  const before = placeOf(deviceId, since);
  const upTo = now.user[scope.partition] ?? 0;
  const messages = upTo <= before.sequence ? [] : await deps.userQuery.toDevice({ userId, deviceId }, { after: before.sequence, upTo, limit: MESSAGES_MAX });
  const isWhole = messages.length < MESSAGES_MAX;
  const isUnacknowledged = messages.length > 0 || (before.isUnacknowledged && !(await scope.acknowledged));
  const sequence = isWhole ? Math.max(upTo, before.sequence) : messages.at(-1)!.sequence;
  return { events: messages.map(({ event }) => event), place: { device: before.device, sequence, isUnacknowledged } };
}

/** The device has all up to its token: tells the owner, when there was anything. Resolves with whether that is done; never rejects. */
export async function acknowledge(deps: Pick<ReadDeps, 'runtime' | 'commands'>, { userId, deviceId }: Pick<Requester, 'userId' | 'deviceId'>, since: SyncPosition | undefined): Promise<boolean> {
  const { runtime: { clock, logger }, commands } = deps;
  const { sequence, isUnacknowledged } = placeOf(deviceId, since);
  if (!isUnacknowledged) return true;
  try {
    const outcome = await withTimeLimit(clock, ACKNOWLEDGING_MS_MAX, commands.submitUserInput({ inputId: '', traceId: '', ts: clock.now(), userId, ackToDevice: { deviceId, sequence } }));
    return outcome.errcode === '';
  } catch (error) {
    logger.warn({ userId, deviceId, error }, 'messages that a device has were not deleted; its next sync tries again');
    return false;
  }
}

/** Whether the device has been told of all messages, and has said so. */
export function hasAllMessages({ deviceId, partition }: Pick<SyncScope, 'deviceId' | 'partition'>, since: SyncPosition): boolean {
  if (deviceId === '') return true;
  const { sequence, isUnacknowledged } = placeOf(deviceId, since);
  return !isUnacknowledged && sequence >= (since.user[partition] ?? 0);
}

function placeOf(deviceId: string, since: SyncPosition | undefined): ToDevicePlace {
  const device = hash('sha256', deviceId, 'buffer').readUInt32BE(0);
  return since?.toDevice?.device === device ? since.toDevice : { device, sequence: 0, isUnacknowledged: false };
}
