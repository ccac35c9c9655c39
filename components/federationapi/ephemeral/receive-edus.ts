/**
 * Ephemeral units of another server (server-server, "EDUs"): who of its users types, has read or is there. Only of its own users, and in rooms that it is in and that let it in; the owner of
 * the room sees to it that the user is joined. What is wrong is passed over, and so are types that this server does not take.
 */
import { createHash } from 'node:crypto';
import { isJsonObject } from '../../../pkg/http/json.ts';
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { LogDriver } from '../../../pkg/log/log.ts';
import { partitionOf, type PartitionMap } from '../../../pkg/log/partition-map.ts';
import { isLocalUser, isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { isLetIn } from '../auth/room-access.ts';

export interface EduReceiver {
  /** Never rejects: what cannot be handed on is lost. */
  receive(origin: string, units: readonly unknown[], transaction: { readonly txnId: string; readonly traceId: string }): Promise<void>;
}

export interface EduDeps {
  readonly runtime: Pick<Runtime, 'clock' | 'logger'>;
  readonly driver: Pick<LogDriver, 'append'>;
  readonly partitionMap: PartitionMap;
  readonly roomQuery: Pick<RoomQuery, 'hasJoinedMember' | 'currentState'>;
  /** Takes contents of m.presence; absent: nobody is told of anybody's presence. */
  readonly presence?: ((origin: string, contents: readonly unknown[]) => Promise<void>) | undefined;
}

/** A typing user of a server that says nothing more. */
const TYPING_MS = 60_000;
/** After this time nobody types any more. */
const TYPING_DEADLINE_MS = 10_000;
/** Of one transaction; further ones are passed over. */
const INPUTS_MAX = 1000;
const ROOMS_MAX = 100;
const ID_LENGTH_MAX = 255;

type Wish = { readonly roomId: string } & Pick<RoomInput, 'setTyping' | 'setReceipt'>;

export function createEduReceiver(deps: EduDeps): EduReceiver {
  const { runtime: { clock, logger }, driver, partitionMap, roomQuery } = deps;

  async function isOpen(origin: string, roomId: string): Promise<boolean> {
    return (await roomQuery.hasJoinedMember(roomId, origin)) && isLetIn({ roomQuery }, origin, roomId);
  }

  async function append(wishes: readonly Wish[], from: { origin: string; txnId: string; traceId: string }): Promise<void> {
    const nowMs = clock.now();
    for (const isTyping of [true, false]) {
      const byPartition = Map.groupBy(wishes.filter(({ setTyping }) => Boolean(setTyping) === isTyping), ({ roomId }) => partitionOf(partitionMap, roomId));
      for (const [partition, ofPartition] of byPartition) {
        const records = ofPartition.map((wish) => roomInputCodec.encode({
          inputId: inputIdOf(wish, from), replyTo: '', deadlineMs: isTyping ? nowMs + TYPING_DEADLINE_MS : 0, traceId: from.traceId, originServerTs: nowMs, ...wish,
        }));
        await driver.append('room-input', partition, records, { durable: !isTyping });
      }
    }
  }

  return {
    async receive(origin, units, { txnId, traceId }) {
      if (units.length === 0) return;
      try {
        const known = units.filter(isUnit);
        const wishes = known.flatMap((unit) => wishesOf(unit, origin, clock.now())).slice(0, INPUTS_MAX);
        const rooms = [...new Set(wishes.map(({ roomId }) => roomId))].slice(0, ROOMS_MAX);
        const open = new Set((await Promise.all(rooms.map(async (roomId) => ((await isOpen(origin, roomId)) ? [roomId] : [])))).flat());
        await append(wishes.filter(({ roomId }) => open.has(roomId)), { origin, txnId, traceId });
        await deps.presence?.(origin, known.filter(({ edu_type: type }) => type === 'm.presence').map(({ content }) => content));
      } catch (error) {
        logger.warn({ origin, error }, 'ephemeral units of another server were lost');
      }
    },
  };
}

interface Unit {
  readonly edu_type: string;
  readonly content: Readonly<Record<string, unknown>>;
}

function isUnit(value: unknown): value is Unit {
  return isJsonObject(value) && typeof value['edu_type'] === 'string' && isJsonObject(value['content']);
}

function wishesOf({ edu_type: type, content }: Unit, origin: string, nowMs: number): Wish[] {
  if (type === 'm.typing') return typingOf(content, origin);
  return type === 'm.receipt' ? receiptsOf(content, origin, nowMs) : [];
}

function typingOf({ room_id: roomId, user_id: userId, typing }: Unit['content'], origin: string): Wish[] {
  if (!isId(roomId, '!') || !isUserOf(userId, origin) || typeof typing !== 'boolean') return [];
  return [{ roomId, setTyping: { userId, typing, timeoutMs: typing ? TYPING_MS : 0 } }];
}

function receiptsOf(content: Unit['content'], origin: string, nowMs: number): Wish[] {
  return Object.entries(content).flatMap(([roomId, byType]) => {
    // Other types are for nobody but the user.
    const users = isJsonObject(byType) ? byType['m.read'] : undefined;
    if (!isId(roomId, '!') || !isJsonObject(users)) return [];
    return Object.entries(users).flatMap(([userId, receipt]) => (isUserOf(userId, origin) ? receiptOf({ roomId, userId }, receipt, nowMs) : []));
  });
}

function receiptOf({ roomId, userId }: { roomId: string; userId: string }, receipt: unknown, nowMs: number): Wish[] {
  if (!isJsonObject(receipt) || !Array.isArray(receipt['event_ids']) || !isJsonObject(receipt['data'])) return [];
  const [eventId] = receipt['event_ids'] as unknown[];
  const { ts, thread_id: threadId } = receipt['data'];
  if (!isId(eventId, '$') || (threadId !== undefined && threadId !== 'main' && !isId(threadId, '$'))) return [];
  const at = Number.isSafeInteger(ts) && (ts as number) >= 0 ? Math.min(ts as number, nowMs) : nowMs;
  return [{ roomId, setReceipt: { userId, receiptType: 'm.read', eventId, ts: at, ...(typeof threadId === 'string' && { threadId }) } }];
}

function isUserOf(userId: unknown, origin: string): userId is string {
  return isUserId(userId) && isLocalUser(userId, origin);
}

/** Whether databases can hold it; whether there is such a thing, they know. */
function isId(value: unknown, sigil: string): value is string {
  return typeof value === 'string' && value.startsWith(sigil) && value.length <= ID_LENGTH_MAX && !value.includes('\0') && value.isWellFormed();
}

/** The same for a transaction that comes twice. */
function inputIdOf(wish: Wish, { origin, txnId }: { origin: string; txnId: string }): string {
  return `edu:${createHash('sha256').update(JSON.stringify([origin, txnId, wish])).digest('base64url')}`;
}
