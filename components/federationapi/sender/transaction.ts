/** One transaction for another server (server-server: PUT /_matrix/federation/v1/send/{txnId}), made of what is queued for it. */
import { createHash } from 'node:crypto';
import type { RoomQuery } from '../../../schemas/ports/room-query.ts';
import { canonicalJson, CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import type { Edu } from './ephemeral.ts';
import type { QueuedEvent } from '../storage/destination-queue.ts';
import type { QueuedUnit } from '../storage/unit-queue.ts';

/** As many as the spec allows. */
export const TRANSACTION_PDUS_MAX = 50;
/** No further events are added to a transaction of this size; one event may go beyond it. */
const TRANSACTION_BYTES_MAX = 512 * 1024;
/** Events that are read at once. */
const CHUNK = 10;

export interface OutgoingTransaction<Item extends { readonly eventId: string } = QueuedEvent> {
  /** The same for the same events, also after a crash: who has them already knows by it. */
  readonly txnId: string;
  /** IDs of the events in it, in order. */
  readonly eventIds: readonly string[];
  /** Canonical JSON. */
  readonly json: string;
  /** What is done with when it has arrived: the events in it, and those between them that no longer exist. */
  readonly queued: readonly Item[];
  /** Units in it that have to arrive. */
  readonly stored: readonly QueuedUnit[];
  /** The same events and stored units alone, for a destination that takes offence at the ephemeral units; absent: there are none. */
  readonly withoutUnits?: OutgoingTransaction<Item>;
}

export interface TransactionSource {
  readonly serverName: string;
  readonly nowMs: number;
  readonly roomQuery: Pick<RoomQuery, 'eventsById'>;
}

/** What waits for a destination beside events. */
export interface UnitsToSend {
  /** That are sent once, if at all. */
  readonly soft: readonly Edu[];
  /** That have to arrive. */
  readonly stored: readonly QueuedUnit[];
}

/** Of the first of `queued`, as many as fit, and of all the units. Without events when none of them exists any more. */
export async function makeTransaction<Item extends { readonly eventId: string }>(
  { serverName, nowMs, roomQuery }: TransactionSource, queued: readonly Item[], units: UnitsToSend = { soft: [], stored: [] },
): Promise<OutgoingTransaction<Item>> {
  const eventIds: string[] = [];
  const pdus: string[] = [];
  let bytes = 0;
  let taken = 0;
  while (taken < queued.length && bytes < TRANSACTION_BYTES_MAX) {
    const chunk = queued.slice(taken, taken + CHUNK);
    const events = new Map((await roomQuery.eventsById(chunk.map(({ eventId }) => eventId))).map((event) => [event.eventId, event.pdu]));
    for (const { eventId } of chunk) {
      if (bytes >= TRANSACTION_BYTES_MAX) break;
      taken += 1;
      const pdu = events.get(eventId);
      if (pdu === undefined) continue;
      eventIds.push(eventId);
      // As it is stored, which is canonical JSON.
      pdus.push(Buffer.from(pdu.buffer, pdu.byteOffset, pdu.byteLength).toString());
      bytes += pdu.byteLength;
    }
  }
  // Canonical: what is signed is the text, and others check the signature of what they make of it.
  const rest = `"origin":${JSON.stringify(serverName)},"origin_server_ts":${nowMs},"pdus":[${pdus.join(',')}]}`;
  const stored = units.stored.map(({ json }) => json);
  const places = units.stored.map((unit) => `${unit.originPartition}.${unit.originSequence}.${unit.number}`);
  const plain = {
    txnId: idOf([...eventIds, ...places].join(' ')), eventIds, json: stored.length === 0 ? `{${rest}` : `{"edus":[${stored.join(',')}],${rest}`, queued: queued.slice(0, taken), stored: units.stored,
  };
  if (units.soft.length === 0) return plain;
  const edus = `[${[...stored, ...units.soft.flatMap(softText)].join(',')}]`;
  // Soft units are never sent again: the same ones at another time are others.
  return { ...plain, txnId: idOf(`${eventIds.join(' ')} ${nowMs} ${edus}`), json: `{"edus":${edus},${rest}`, withoutUnits: plain };
}

/** Nothing for what cannot be signed: such a unit must not take others along. */
function softText(unit: Edu): string[] {
  try {
    return [canonicalJson(unit)];
  } catch (error) {
    if (error instanceof CanonicalJsonError) return [];
    throw error;
  }
}

function idOf(content: string): string {
  return createHash('sha256').update(content).digest('base64url').slice(0, 24);
}

/** What the receiver says of events that it did not take, by event ID (spec: they are not sent again). */
export function refusedEvents(body: Readonly<Record<string, unknown>>): Map<string, string> {
  const refused = new Map<string, string>();
  const { pdus } = body;
  if (typeof pdus !== 'object' || pdus === null) return refused;
  for (const [eventId, verdict] of Object.entries(pdus)) {
    const error: unknown = typeof verdict === 'object' && verdict !== null ? (verdict as Record<string, unknown>)['error'] : undefined;
    if (error !== undefined) refused.set(eventId, String(error).slice(0, 200));
  }
  return refused;
}
