/**
 * What follows from the use of an access token: it may have expired; it may be the first that is seen of what a refresh has brought, and then its owner has to know that the tokens before
 * are over (Client-Server API, "Refreshing access tokens"); and now and then it is written down when and from where its device was used.
 */
import type { CommandClient } from '../log/commands.ts';
import type { Runtime, Timer } from '../runtime/runtime.ts';
import type { Requester } from '../../schemas/ports/requester.ts';
import type { TokenUse } from '../../schemas/ports/session-query.ts';
import { MatrixError } from './matrix-error.ts';

/** At least so long lies between two notes of one process about one device. */
export const SEEN_AGAIN_MS = 10 * 60_000;
/** After a start all clients come at once: their notes are spread over this time. */
const SPREAD_MS = 2 * 60_000;
/** Notes of this time go to their owners together, which cost them one commit then. */
export const NOTED_TOGETHER_MS = 2000;
const NOTED_TOGETHER_MAX = 1000;
/** Devices whose last note is remembered; the one unused for longest goes first, and is noted again when it comes back. */
const DEVICES_MAX = 100_000;

export function createTokenUse({ runtime, commands }: { readonly runtime: Pick<Runtime, 'clock' | 'random' | 'logger'>; readonly commands: Pick<CommandClient, 'submitUserInput'> }): TokenUse & { size(): number } {
  const { clock, random, logger } = runtime;
  const startedAt = clock.now();
  /** When each device is to be noted next, by user and device; in the order of use. */
  const dueMs = new Map<string, number>();
  /** By token hash. */
  const confirming = new Map<string, Promise<void>>();

  const notes: { readonly userId: string; readonly ts: number; readonly seeDevice: { readonly deviceId: string; readonly ip: string } }[] = [];
  let timer: Timer | undefined;

  const submit = (userId: string, input: object, what: string): Promise<void> =>
    commands.submitUserInput({ inputId: '', traceId: '', ts: clock.now(), userId, ...input }).then(() => undefined, (error: unknown) => logger.warn({ error, userId }, what));

  function confirm({ userId, deviceId }: Requester, tokenHash: Uint8Array): Promise<void> {
    const key = Buffer.from(tokenHash).toString('base64url');
    const underWay = confirming.get(key);
    if (underWay !== undefined) return underWay;
    // The token counts whatever comes of it: its next use says so again.
    const done = submit(userId, { confirmToken: { deviceId, tokenHash } }, 'the first use of a token could not be told to its owner').finally(() => confirming.delete(key));
    confirming.set(key, done);
    return done;
  }

  function see({ userId, deviceId }: Requester, ip: string): void {
    const now = clock.now();
    const key = `${userId}\0${deviceId}`;
    const due = dueMs.get(key) ?? Math.max(now, startedAt + random.float() * SPREAD_MS);
    dueMs.delete(key);
    dueMs.set(key, due <= now ? now + SEEN_AGAIN_MS : due);
    if (dueMs.size > DEVICES_MAX) dueMs.delete(dueMs.keys().next().value as string);
    if (due > now) return;
    notes.push({ userId, ts: now, seeDevice: { deviceId, ip } });
    if (notes.length >= NOTED_TOGETHER_MAX) tell();
    else timer ??= clock.timer(NOTED_TOGETHER_MS, tell);
  }

  function tell(): void {
    timer?.cancel();
    timer = undefined;
    for (const { userId, ...note } of notes.splice(0)) void submit(userId, note, 'the use of a device could not be noted');
  }

  return {
    size: () => dueMs.size,
    note(requester, { tokenHash, address }) {
      const { token } = requester;
      if (token !== undefined && token.expiresMs > 0 && token.expiresMs <= clock.now()) throw expired();
      if (address !== undefined && requester.deviceId !== '') see(requester, address);
      return token?.isNew === true ? confirm(requester, tokenHash) : undefined;
    },
  };
}

function expired(): MatrixError {
  return new MatrixError(401, 'M_UNKNOWN_TOKEN', 'The access token has expired', { fields: { soft_logout: true } });
}
