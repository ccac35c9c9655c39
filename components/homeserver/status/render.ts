/** The status as a table for people. */
import type { ConsumerStatus, InstanceStatus, OwnerStatus, Status } from './status.ts';

/** Lines of text with a line feed at the end. */
export function renderStatus(status: Status): string {
  const from = status.source === 'server' ? 'from the running server' : 'from the tables: no server answered';
  const lines = [
    `${status.serverName} at ${new Date(status.atMs).toISOString()}, ${from}`,
    '',
    ...table([
      ['CONSUMER', 'PARTITIONS', 'UNOWNED', 'LAG', 'PARKED', 'DEAD LETTERS', 'OUTBOX'],
      ...status.consumers.map((one) => [one.name, ...[one.partitions, one.unowned, one.lag, one.parked, one.deadLetters, one.outbox].map(cell)]),
    ]),
    '',
    ...table([['OWNER', 'CONSUMER', 'PARTITIONS', 'EPOCHS', 'STATE'], ...status.consumers.flatMap((consumer) => ownerRows(status, consumer))]),
    ...idleLines(status),
    ...failingLines(status),
    ...(status.roomsCompleting > 0 ? [`${status.roomsCompleting} rooms were joined and wait for their members`] : []),
    '',
    status.healthy ? 'healthy' : 'UNHEALTHY:',
    ...status.problems.map((problem) => `  ${problem}`),
  ];
  return `${lines.join('\n')}\n`;
}

function cell(value: number | null): string {
  return value === null ? '-' : String(value);
}

function ownerRows(status: Status, consumer: ConsumerStatus): string[][] {
  if (consumer.owners.length === 0) return [['(nobody)', consumer.name, '0', '-', '-']];
  return consumer.owners.map((owner) => [owner.instance, consumer.name, String(owner.partitions), epochs(owner), stateOf(owner, status.atMs)]);
}

function epochs({ epochMin, epochMax }: OwnerStatus): string {
  return epochMin === epochMax ? String(epochMin) : `${epochMin}-${epochMax}`;
}

function stateOf({ alive, expiresAtMs }: Pick<OwnerStatus, 'alive' | 'expiresAtMs'>, atMs: number): string {
  if (expiresAtMs === null) return alive ? 'alive' : 'not running';
  const seconds = (Math.abs(expiresAtMs - atMs) / 1000).toFixed(1);
  return alive ? `alive, lease ends in ${seconds} s` : `expired ${seconds} s ago`;
}

/** Instances that own nothing of a consumer: they have just come, are too many, or died. */
function idleLines(status: Status): string[] {
  const owns = (one: InstanceStatus) => status.consumers.some((consumer) => consumer.name === one.consumer && consumer.owners.some((owner) => owner.instance === one.instance));
  const idle = status.instances.filter((one) => !owns(one));
  if (idle.length === 0) return [];
  return ['', ...table([['INSTANCE WITHOUT PARTITIONS', 'CONSUMER', 'STATE'], ...idle.map((one) => [one.instance, one.consumer, stateOf(one, status.atMs)])])];
}

/** Servers that could not be reached, what was noticed last first. */
function failingLines({ failingServers: { count, newest }, atMs }: Status): string[] {
  if (count === 0) return [];
  const rows = newest.map(({ name, failures, sinceMs, nextTryMs }) => [name, new Date(sinceMs).toISOString(), String(failures), nextTryMs <= atMs ? 'now' : `in ${durationOf(nextTryMs - atMs)}`]);
  return ['', ...table([['SERVER THAT FAILS', 'SINCE', 'TRIES', 'NEXT TRY'], ...rows]), ...(count > newest.length ? [`and ${count - newest.length} more`] : [])];
}

function durationOf(ms: number): string {
  const seconds = Math.ceil(ms / 1000);
  return seconds < 120 ? `${seconds} s` : `${Math.round(seconds / 60)} min`;
}

function table(rows: readonly (readonly string[])[]): string[] {
  const widths = (rows[0] ?? []).map((_, column) => Math.max(...rows.map((row) => row[column]?.length ?? 0)));
  return rows.map((row) => row.map((text, column) => text.padEnd(widths[column] ?? 0)).join('  ').trimEnd());
}
