/** The laws that hold in every world, whatever went wrong in it. Each answers with sentences about what broke it. */
import { decodeSyncToken } from '../../components/syncapi/token/sync-token.ts';
import type { Database, SqlRow } from '../../pkg/storage/database.ts';
import type { SimClient } from './client.ts';
import type { SimServer } from './server.ts';

/** Every acknowledged send is in every member's timeline exactly once, in one order for all, each sender's sends in the order sent. */
export function exactlyOnce(clients: readonly SimClient[], roomId: string): string[] {
  const broken: string[] = [];
  const acked = new Map(clients.flatMap((client) => [...client.acked]));
  const bodies = new Map([...acked].map(([body, eventId]) => [eventId, body]));
  let order: string[] | undefined;
  for (const client of clients) {
    const messages = (client.seen.get(roomId) ?? []).filter((event) => event.type === 'm.room.message');
    const ids = messages.map((event) => event.event_id);
    if (new Set(ids).size !== ids.length) broken.push(`${client.userId} has seen an event twice`);
    // What was redacted before it was seen has no body any more.
    const bodyOf = (event: (typeof messages)[number]): string => event.content.body ?? bodies.get(event.event_id) ?? '';
    const byBody = new Map(messages.map((event) => [bodyOf(event), event.event_id]));
    if (byBody.size !== ids.length) broken.push(`${client.userId} has seen two events of one transaction ID`);
    for (const [body, eventId] of acked) if (byBody.get(body) !== eventId) broken.push(`${client.userId} has ${String(byBody.get(body))} for ${body}, acknowledged as ${eventId}`);
    order ??= ids;
    if (order.join() !== ids.join()) broken.push(`${client.userId} sees another order`);
    for (const sender of clients) {
      const seen = messages.filter((event) => event.sender === sender.userId).map(bodyOf).filter((body) => sender.acked.has(body));
      if (seen.join() !== [...sender.acked.keys()].join()) broken.push(`${client.userId} sees the sends of ${sender.userId} in another order`);
    }
  }
  return broken;
}

/** Every acknowledged message to devices reached each of them once, those of each sender in the order sent. */
export function toDeviceOnce(clients: readonly SimClient[]): string[] {
  return clients.flatMap((client) => clients.flatMap((sender) => {
    const got = client.toDevice.get(sender.userId) ?? [];
    const expected = Array.from({ length: sender.toDeviceSent }, (_, index) => index + 1);
    return got.join() === expected.join() ? [] : [`the device of ${client.userId} got ${got.join()} of the messages 1 to ${sender.toDeviceSent} of ${sender.userId}`];
  }));
}

/** No entry of a token's vector is ever smaller than in the token before. */
export function tokensNeverGoBack(clients: readonly SimClient[]): string[] {
  const broken: string[] = [];
  for (const client of clients) {
    for (let index = 1; index < client.tokens.length; index += 1) {
      const [before, after] = [decodeSyncToken(client.tokens[index - 1]!), decodeSyncToken(client.tokens[index]!)];
      for (const stream of ['room', 'user'] as const) {
        for (const [partition, sequence] of before[stream].entries()) {
          if ((after[stream][partition] ?? 0) < (sequence ?? 0)) broken.push(`a token of ${client.userId} went back in ${stream} ${partition}`);
        }
      }
    }
  }
  return broken;
}

/** The outbox of each partition holds 1, 2, 3, … up to what the owner's position says. */
export async function sequencesAreDense(server: SimServer): Promise<string[]> {
  const broken: string[] = [];
  for (const [component, log] of [['roomserver', 'room-output'], ['userapi', 'user-output']] as const) {
    const database = server.databases[component];
    const positions = await database.query<{ partition: number; sequence: number }>('SELECT partition, sequence FROM positions WHERE consumer = ?', [component]);
    for (const { partition, sequence } of positions) {
      const rows = await database.query<{ n: number; newest: number | null }>(
        'SELECT count(*) AS n, max(sequence) AS newest FROM outbox WHERE log = ? AND partition = ?', [log, partition]);
      if (rows[0]!.n !== sequence || (rows[0]!.newest ?? 0) !== sequence) broken.push(`${log} ${partition} holds ${rows[0]!.n} records up to ${rows[0]!.newest}, its owner is at ${sequence}`);
    }
  }
  return broken;
}

export async function noDeadLetters(server: SimServer): Promise<string[]> {
  const broken: string[] = [];
  for (const [component, database] of Object.entries(server.databases)) {
    const rows = await database.query<{ reason: string }>('SELECT reason FROM dead_letters');
    for (const { reason } of rows) broken.push(`dead letter in ${component}: ${reason}`);
  }
  return broken;
}

const NOT_PART_OF_THE_MODEL = ['leases', 'instances', 'positions', 'schema_migrations', 'log_records'];

/** Everything in a read model's tables, in one canonical text a table. */
export async function dump(database: Database): Promise<Map<string, string[]>> {
  const tables = await database.query<{ name: string }>(`SELECT name FROM sqlite_master WHERE type = 'table' ORDER BY name`);
  const texts = new Map<string, string[]>();
  for (const { name } of tables) {
    if (NOT_PART_OF_THE_MODEL.includes(name)) continue;
    const rows = await database.query<SqlRow>(`SELECT * FROM ${name}`);
    texts.set(name, rows.map((row) => JSON.stringify(row, (_key, value: unknown) => (value instanceof Uint8Array ? Buffer.from(value).toString('hex') : value))).sort());
  }
  return texts;
}

/** The read model that lived through the faults equals one built now from the logs. */
export async function sameModel(live: Database, rebuilt: Database): Promise<string[]> {
  const [one, other] = [await dump(live), await dump(rebuilt)];
  return [...one].filter(([table, rows]) => rows.join('\n') !== other.get(table)?.join('\n')).map(([table, rows]) => {
    const theirs = new Set(other.get(table));
    return `table ${table} differs from its rebuild: ${rows.find((row) => !theirs.has(row)) ?? `${rows.length} rows against ${theirs.size}`}`;
  });
}
