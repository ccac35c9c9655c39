/** A sender over real tables, with a transport that is a value: what queues for other servers come to. */
import assert from 'node:assert/strict';
import type { TestContext } from 'node:test';
import { destinationPartition } from '../../components/federationapi/sender/destination.ts';
import type { Sender } from '../../components/federationapi/sender/sender-api.ts';
import { createSender } from '../../components/federationapi/sender/sender.ts';
import { enqueue } from '../../components/federationapi/storage/destination-queue.ts';
import { federationapiMigrations } from '../../components/federationapi/storage/migrations.ts';
import { enqueueUnits } from '../../components/federationapi/storage/unit-queue.ts';
import type { BackoffBounds } from '../../pkg/federation/backoff.ts';
import { FederationError, type FederationRequest, type FederationResponse } from '../../pkg/federation/transport.ts';
import { logMigrations } from '../../pkg/log/tables.ts';
import { canonicalJson } from '../../pkg/matrix/canonical-json/canonical-json.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import { createManualRuntime, type ManualRuntime } from './manual-runtime.ts';

export const SENDER_PARTITIONS = 4;
export const RETRY: BackoffBounds = { firstMs: 1000, maxMs: 60_000, factor: 2, jitter: 0 };
/** In ms. */
export const minutes = (count: number): number => count * 60_000;

export interface Sent {
  readonly at: number;
  readonly by: string;
  readonly destination: string;
  readonly txnId: string;
  readonly eventIds: readonly string[];
  readonly edus: readonly { edu_type: string; content: unknown }[];
}

export type Answer = (request: FederationRequest, sent: Sent) => Promise<FederationResponse>;

export interface SenderStand {
  readonly runtime: ManualRuntime;
  readonly database: Database;
  /** Every request that was made, in order. */
  readonly sent: Sent[];
  /** Every request for a sign of life of a server that has failed, in order. */
  readonly sought: Pick<Sent, 'at' | 'by' | 'destination'>[];
  /** What destinations answer from now on, with an empty `txnId` to who looks for a sign of life. */
  answer: Answer;
  /** Events that no longer exist. */
  readonly gone: Set<string>;
  /** Events that no destination may see. */
  readonly hidden: Set<string>;
  /** Forward extremities by room ID. */
  readonly ends: Map<string, string[]>;
  /** Servers of events that are not of this one, by event ID. */
  readonly makers: Map<string, string>;
  sender(name?: string): Sender;
  /** Queues events of a room, whose origin partition is 1 or that given, and tells nobody. */
  queue(destination: string, events: readonly string[], place?: { room?: string; partition?: number }): Promise<void>;
  rows(destination: string): Promise<string[]>;
  /** Queues units that have to arrive, and tells nobody. */
  queueUnits(destination: string, bodies: readonly string[]): Promise<void>;
  /** How many of them are queued. */
  units(destination: string): Promise<number>;
}

export const ok: Answer = async () => ({ status: 200, body: { pdus: {} } });
export const down: Answer = async () => Promise.reject(new FederationError('unreachable', 'no connection'));

/** Answers never; rejects when the deadline has passed or nobody waits any more. */
export function hanging(runtime: ManualRuntime): Answer {
  return ({ deadlineMs, signal }) => new Promise((_resolve, reject) => {
    runtime.clock.timer(deadlineMs, () => reject(new FederationError('timeout', 'no answer')));
    signal?.addEventListener('abort', () => reject(new FederationError('cancelled', 'nobody waits')));
  });
}

export async function senderStand(t: TestContext, retry = RETRY): Promise<SenderStand> {
  const runtime = createManualRuntime();
  const database = await openSqlite({ path: ':memory:' });
  await migrate(database, 'log', logMigrations, 0);
  await migrate(database, 'federationapi', federationapiMigrations, 0);
  const listeners: { by: string; receive: (value: Uint8Array) => void }[] = [];
  const senders: Sender[] = [];
  let sequence = 0;
  const self: SenderStand = {
    runtime, database, sent: [], sought: [], answer: ok, gone: new Set(), hidden: new Set(), ends: new Map(), makers: new Map(),
    sender(by = 'one') {
      const sender = createSender({
        runtime: { ...runtime, instanceId: by }, database, partitions: SENDER_PARTITIONS, exclusive: false, serverName: 'a.example', retry, isDenied: (name) => name.startsWith('denied'),
        driver: {
          signal: (channel, value) => listeners.filter((one) => one.by.endsWith(channel)).forEach(({ receive }) => receive(value)),
          listen: async (channel, receive) => {
            listeners.push({ by: channel, receive });
            return { close: async () => undefined };
          },
        },
        roomHistoryQuery: { visibleToServer: async (_name, eventIds) => new Set(eventIds.filter((id) => !self.hidden.has(id))) },
        roomQuery: {
          roomTip: async (roomId) => ({ roomVersion: '12', depth: 1, extremities: self.ends.get(roomId) ?? [] }),
          eventsById: async (ids) => ids.filter((id) => !self.gone.has(id)).reverse().map((eventId) => ({
            eventId, roomId: '!r', roomVersion: '12', pdu: Buffer.from(JSON.stringify({ id: eventId, sender: `@u:${self.makers.get(eventId) ?? 'a.example'}` })), redactedBy: null, orderKey: 1,
          })),
        },
        unsigned: {
          request: (request) => {
            const made = { at: runtime.clock.now() - 1_700_000_000_000, by, destination: request.destination };
            self.sought.push(made);
            return self.answer(request, { ...made, txnId: '', eventIds: [], edus: [] });
          },
        },
        transport: {
          request: (request) => {
            assert.equal(request.json, canonicalJson(JSON.parse(request.json!)), 'what is signed is canonical');
            const body = JSON.parse(request.json!) as { origin: string; origin_server_ts: number; pdus: { id: string }[]; edus?: Sent['edus'] };
            assert.deepEqual([request.method, body.origin, body.origin_server_ts], ['PUT', 'a.example', runtime.clock.now()]);
            const made = { at: runtime.clock.now() - 1_700_000_000_000, by, destination: request.destination, txnId: request.path.split('/').at(-1)!, eventIds: body.pdus.map(({ id }) => id), edus: body.edus ?? [] };
            self.sent.push(made);
            return self.answer(request, made);
          },
        },
      });
      senders.push(sender);
      return sender;
    },
    async queue(destination, events, { room = '!r', partition = 1 } = {}) {
      const rows = events.map((eventId) => ({ destination, originPartition: partition, originSequence: (sequence += 1), roomId: room, eventId }));
      await database.transaction((tx) => enqueue(tx, rows, { nowMs: 0, partitionOfDestination: (name) => destinationPartition(name, SENDER_PARTITIONS) }));
    },
    async queueUnits(destination, bodies) {
      const rows = bodies.map((body) => ({ destination, originPartition: 1, originSequence: (sequence += 1), number: 0, json: `{"content":{"body":${JSON.stringify(body)}},"edu_type":"m.stored"}` }));
      await database.transaction((tx) => enqueueUnits(tx, rows, { nowMs: 0, partitionOfDestination: (name) => destinationPartition(name, SENDER_PARTITIONS) }));
    },
    async units(destination) {
      return (await database.query('SELECT unit FROM unit_queue WHERE destination = ?', [destination])).length;
    },
    async rows(destination) {
      const rows = await database.query<{ event_id: string }>('SELECT event_id FROM destination_queue WHERE destination = ? ORDER BY origin_sequence', [destination]);
      return rows.map((row) => row.event_id);
    },
  };
  t.after(async () => {
    self.answer = ok;
    const stopped = Promise.all(senders.map((sender) => sender.stop()));
    await runtime.advance(10_000);
    await stopped;
    await database.close();
  });
  return self;
}

export const numbered = (from: number, to: number): string[] => Array.from({ length: to - from + 1 }, (_, i) => `$${from + i}`);
export const unit = (destination: string, key: string, body: unknown = key) => ({ destination, key, edu: { edu_type: 'm.test', content: { body } } });
/** Of the units of a transaction. */
export const bodies = ({ edus }: Sent): unknown[] => edus.map(({ content }) => (content as { body: unknown }).body);
