/** Reads the status from the components' tables. Reads only; a table that changes meanwhile makes a number one batch old, never wrong for long. */
import type { InputLogName, OutputLogName } from '../../../pkg/log/log.ts';
import { outputConsumerName } from '../../../pkg/log/output-consumer.ts';
import type { Reader, SqlRow } from '../../../pkg/storage/database.ts';
import { failingDestinations, FEDERATIONAPI_CONSUMER, SENDER_CONSUMER } from '../../federationapi/index.ts';
import { ROOMSERVER_CONSUMER } from '../../roomserver/index.ts';
import { SYNCAPI_CONSUMER } from '../../syncapi/index.ts';
import { USERAPI_CONSUMER } from '../../userapi/index.ts';
import type { ConsumerStatus, InstanceStatus, OwnerStatus, Status } from './status.ts';

type Component = 'roomserver' | 'userapi' | 'syncapi' | 'federationapi';
export type StatusReaders = Readonly<Record<Component, Pick<Reader, 'query'>>>;

export interface CollectOptions {
  readonly serverName: string;
  readonly source: Status['source'];
  readonly readers: StatusReaders;
  readonly nowMs: number;
  readonly partitions: number;
  /** With the embedded log leases say nothing about time: the instance that is known to run (undefined: none) is the one that lives. */
  readonly embedded: { readonly running: string | undefined } | undefined;
  /** The place after the newest pack of an input log, where a broker knows it, and the broker's data that it is valid for. */
  readonly inputs?: { readonly transport: string; readonly head: (log: InputLogName, partition: number) => Promise<number> };
}

interface Consumer {
  readonly name: string;
  readonly component: Component;
  /** What an owner reads and writes. */
  readonly owns?: { readonly input: InputLogName; readonly output: OutputLogName };
  /** Whose output a reader applies. */
  readonly follows?: { readonly component: Component; readonly name: string };
  /** Not every installation runs it: one that never did lacks nothing. */
  readonly optional?: true;
}

const CONSUMERS: readonly Consumer[] = [
  { name: ROOMSERVER_CONSUMER, component: 'roomserver', owns: { input: 'room-input', output: 'room-output' } },
  { name: USERAPI_CONSUMER, component: 'userapi', owns: { input: 'user-input', output: 'user-output' } },
  { name: outputConsumerName(SYNCAPI_CONSUMER, 'room-output'), component: 'syncapi', follows: { component: 'roomserver', name: ROOMSERVER_CONSUMER } },
  { name: outputConsumerName(SYNCAPI_CONSUMER, 'user-output'), component: 'syncapi', follows: { component: 'userapi', name: USERAPI_CONSUMER } },
  { name: outputConsumerName(FEDERATIONAPI_CONSUMER, 'room-output'), component: 'federationapi', follows: { component: 'roomserver', name: ROOMSERVER_CONSUMER }, optional: true },
  { name: outputConsumerName(FEDERATIONAPI_CONSUMER, 'user-output'), component: 'federationapi', follows: { component: 'userapi', name: USERAPI_CONSUMER }, optional: true },
  { name: SENDER_CONSUMER, component: 'federationapi', optional: true },
];

/** More than a reader is behind for moments. */
export const LAG_MAX = 10_000;
/** Other servers that are named. */
const FAILING_SHOWN = 20;

type LeaseRow = { partition: number; owner: string; epoch: number; expires_at: number };
type PositionRow = { partition: number; transport: string; position: number; sequence: number };

/** Rejects with `StorageError` when a database cannot answer. */
export async function collectStatus(options: CollectOptions): Promise<Status> {
  const consumers: ConsumerStatus[] = [];
  const instances: InstanceStatus[] = [];
  for (const consumer of CONSUMERS) {
    const status = await consumerStatus(options, consumer);
    if (consumer.optional && status.owners.length === 0 && (await positionsOf(options, consumer)).length === 0) continue;
    consumers.push(status);
    instances.push(...(await instancesOf(options, consumer)));
  }
  const problems = consumers.flatMap(problemsOf);
  const { serverName, source, nowMs } = options;
  return { serverName, source, atMs: nowMs, healthy: problems.length === 0, problems, consumers, instances, roomsCompleting: await roomsCompleting(options), failingServers: await failingDestinations(options.readers.federationapi, FAILING_SHOWN) };
}

async function roomsCompleting({ readers }: CollectOptions): Promise<number> {
  return (await readers.roomserver.query<SqlRow & { n: number }>('SELECT COUNT(*) AS n FROM partial_rooms WHERE state = 0', []))[0]?.n ?? 0;
}

function problemsOf({ name, partitions, unowned, lag }: ConsumerStatus): string[] {
  return [
    ...(unowned > 0 ? [`${unowned} of ${partitions} partitions of ${name} have no living owner`] : []),
    ...((lag ?? 0) > LAG_MAX ? [`${name} is ${lag} behind`] : []),
  ];
}

async function consumerStatus(options: CollectOptions, consumer: Consumer): Promise<ConsumerStatus> {
  const reader = options.readers[consumer.component];
  const leases = await reader.query<LeaseRow>('SELECT partition, owner, epoch, expires_at FROM leases WHERE consumer = ? ORDER BY partition', [consumer.name]);
  const owners = ownersOf(options, leases);
  const owned = owners.filter((owner) => owner.alive).reduce((sum, owner) => sum + owner.partitions, 0);
  const count = async (sql: string, what: string) => (await reader.query<SqlRow & { n: number }>(sql, [what]))[0]?.n ?? 0;
  return {
    name: consumer.name,
    partitions: options.partitions,
    owners,
    unowned: options.partitions - owned,
    lag: await lagOf(options, consumer),
    parked: await count('SELECT COUNT(*) AS n FROM parked_inputs WHERE consumer = ?', consumer.name),
    deadLetters: await count('SELECT COUNT(*) AS n FROM dead_letters WHERE consumer = ?', consumer.name),
    outbox: consumer.owns ? await count('SELECT COUNT(*) AS n FROM outbox WHERE log = ?', consumer.owns.output) : null,
  };
}

function ownersOf(options: CollectOptions, leases: readonly LeaseRow[]): OwnerStatus[] {
  const byOwner = Map.groupBy(leases.filter((lease) => lease.owner !== ''), (lease) => lease.owner);
  return [...byOwner].sort(([a], [b]) => (a < b ? -1 : 1)).map(([instance, held]) => {
    const expiresAt = Math.min(...held.map((lease) => lease.expires_at));
    const epochs = held.map((lease) => lease.epoch);
    return { instance, ...liveness(options, instance, expiresAt), partitions: held.length, epochMin: Math.min(...epochs), epochMax: Math.max(...epochs) };
  });
}

async function instancesOf(options: CollectOptions, { name, component }: Consumer): Promise<InstanceStatus[]> {
  const rows = await options.readers[component].query<{ instance: string; expires_at: number }>(
    'SELECT instance, expires_at FROM instances WHERE consumer = ? ORDER BY instance', [name]);
  return rows.map((row) => ({ instance: row.instance, consumer: name, ...liveness(options, row.instance, row.expires_at) }));
}

function liveness({ embedded, nowMs }: CollectOptions, instance: string, expiresAtMs: number): { alive: boolean; expiresAtMs: number | null } {
  return embedded ? { alive: embedded.running === instance, expiresAtMs: null } : { alive: expiresAtMs >= nowMs, expiresAtMs };
}

async function lagOf(options: CollectOptions, consumer: Consumer): Promise<number | null> {
  const passed = await positionsOf(options, consumer);
  if (consumer.follows !== undefined) {
    const applied = new Map(passed.map((row) => [row.partition, row.sequence]));
    const heads = await positionsOf(options, consumer.follows);
    return heads.reduce((sum, head) => sum + Math.max(0, head.sequence - (applied.get(head.partition) ?? 0)), 0);
  }
  const { inputs } = options;
  if (inputs === undefined || consumer.owns === undefined) return null;
  const { input } = consumer.owns;
  const known = passed.filter((row) => row.transport === inputs.transport);
  const lags = await Promise.all(known.map(async (row) => Math.max(0, (await inputs.head(input, row.partition)) - row.position)));
  return lags.reduce((sum, lag) => sum + lag, 0);
}

function positionsOf({ readers }: CollectOptions, { component, name }: Pick<Consumer, 'component' | 'name'>): Promise<PositionRow[]> {
  return readers[component].query<PositionRow>('SELECT partition, transport, position, sequence FROM positions WHERE consumer = ?', [name]);
}
