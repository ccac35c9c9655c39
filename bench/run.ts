/** `npm run bench -- <workload> [options]`: measures a workload in every mode that this machine can start; prints a table, writes JSON and an SVG plot. */
import { mkdirSync, writeFileSync } from 'node:fs';
import { cpus } from 'node:os';
import { parseArgs } from 'node:util';
import { startBenchServers } from './servers.ts';
import { plot } from './report/plot.ts';
import type { Mode } from '../test/e2e/modes.ts';
import { table, type Column } from './report/table.ts';
import { keysQueryColumns, keysQueryWorkload } from './workloads/keys-query.ts';
import { toDeviceColumns, toDeviceWorkload } from './workloads/to-device.ts';
import { joinLargeColumns, joinLargeWorkload } from './workloads/join-large.ts';
import { SHAPES, type Shape } from './replay/make-history.ts';
import { keyBackupColumns, keyBackupWorkload } from './workloads/key-backup.ts';
import { replayColumns, replayWorkload } from './workloads/replay.ts';
import { resyncColumns, resyncWorkload } from './workloads/resync.ts';
import { deadServersColumns, deadServersWorkload } from './workloads/dead-servers.ts';
import { silentServerColumns, silentServerWorkload } from './workloads/silent-server.ts';
import { instancesColumns, instancesWorkload, type InstancesResult } from './workloads/instances.ts';
import { unreadColumns, unreadWorkload } from './workloads/unread.ts';
import { federationInColumns, federationInWorkload } from './workloads/federation-in.ts';
import { sendColumns, sendWorkload } from './workloads/send.ts';

const USAGE = `npm run bench -- send|instances|federation-in|join-large|silent-server|dead-servers|unread|resync|key-backup|keys-query|to-device|replay [--modes TEXT] [--seconds N] [--runs N] [--out FOLDER]
  send            messages by one and by 64 connections, and until another user's /sync has them
  instances       what a message costs with two instances of every role instead of one
  federation-in   messages of other servers over TLS, until a user's /sync has them
  join-large      a join of a room with 5,000 members of another server, and sends in other rooms meanwhile
  silent-server   sends in a room with a member whose server never answers
  dead-servers    what 1,000 servers that are gone cost: share of a core (each of 6 measurements takes a minute or --seconds)
  unread          a million unread messages in a room with 5,000 users: /sync, and the receipt that clears them
  resync          500 clients of a room with 10,000 members come back at once
  key-backup      100,000 room keys are put into a backup and read whole: time and memory
  keys-query      one keys/query for 5,000 users with two devices each
  to-device       one message to 5,000 devices, until it is answered and until they have it
  replay          the history of a room from its create event on, until the read model has the last event
  --modes TEXT    only modes whose name contains TEXT, for example "embedded" or "NATS"
  --seconds N     length of each measurement (default 8)
  --runs N        repetitions; medians are reported (default 3)
  --connections N of instances: how many send at once (default 64)
  --members N     of resync: how many members the room has (default 10000)
  --keys N        of key-backup: how many (default 100000)
  --users N       of keys-query and to-device: how many users (default 5000)
  --unread N      of unread: how many messages (default 1000000)
  --out FOLDER    where results go (default bench/results)
 Of replay and federation-in:
  --events N      how many events (default 10000)
 Of replay:
  --shape NAME    mixed (default), linear, forky, state-heavy, mega (50,000 members)
  --rooms N       in so many rooms (default 1)
  --file FILE     replay this file instead: a PDU in JSON a line; FILE.keys.json, if there, has the keys to check signatures with
  --room-version V, --partitions N,N, --instances N,N, --one-core`;

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    modes: { type: 'string', default: '' }, seconds: { type: 'string', default: '8' }, runs: { type: 'string', default: '3' },
    out: { type: 'string', default: 'bench/results' }, connections: { type: 'string', default: '64' }, unread: { type: 'string', default: '1000000' }, keys: { type: 'string', default: '100000' }, members: { type: 'string', default: '10000' }, users: { type: 'string', default: '5000' }, help: { type: 'boolean', default: false },
    events: { type: 'string', default: '10000' }, shape: { type: 'string', default: 'mixed' }, rooms: { type: 'string', default: '1' }, file: { type: 'string' },
    'room-version': { type: 'string', default: '11' }, partitions: { type: 'string', default: '32' }, instances: { type: 'string', default: '1' }, 'one-core': { type: 'boolean', default: false },
  },
});
const [workload] = positionals;
const options = { seconds: Number(values.seconds), runs: Number(values.runs), connections: Number(values.connections) };
const MEASURE: Readonly<Record<string, () => Promise<void>>> = {
  send: measureSends,
  instances: measureInstances,
  'federation-in': async () => report((await inModes((mode) => federationInWorkload(mode, { runs: options.runs, events: Number(values.events) }))).flat(), federationInColumns),
  'join-large': async () => report(await joinLargeWorkload(options), joinLargeColumns),
  replay: measureReplay,
  'keys-query': async () => report(await inModes((mode) => keysQueryWorkload(mode, { runs: options.runs, users: Number(values.users) })), keysQueryColumns),
  'to-device': async () => report((await inModes((mode) => toDeviceWorkload(mode, { runs: options.runs, users: Number(values.users) }))).flat(), toDeviceColumns),
  resync: async () => report((await inModes((mode) => resyncWorkload(mode, { runs: options.runs, members: Number(values.members) }))).flat(), resyncColumns),
  'key-backup': async () => report(await inModes((mode) => keyBackupWorkload(mode, { keys: Number(values.keys) })), keyBackupColumns),
  unread: async () => report(await unreadWorkload({ unread: Number(values.unread), runs: options.runs, isWanted }), unreadColumns),
  'dead-servers': async () => report(await deadServersWorkload(options), deadServersColumns),
  'silent-server': async () => report(await silentServerWorkload(options), silentServerColumns),
};
const measure = MEASURE[workload ?? ''];
if (values.help || measure === undefined) {
  console.log(USAGE);
  process.exit(values.help ? 0 : 2);
}
const isWanted = (name: string): boolean => name.toLowerCase().includes(values.modes.toLowerCase());
const servers = await startBenchServers();
try {
  await measure();
} finally {
  await servers.stop();
}
process.exit(0);

async function measureSends(): Promise<void> {
  const results = await inModes((mode) => sendWorkload(mode, options));
  report(results, sendColumns);
  writeFileSync(`${values.out}/send.svg`, plot('sends per second, 64 connections', results.map((one) => ({ label: one.mode, value: one.sends64.perSecond }))));
}

async function inModes<Result>(work: (mode: Mode) => Promise<Result>): Promise<Result[]> {
  const { modes } = await import('../test/e2e/modes.ts');
  const results: Result[] = [];
  for (const mode of modes().filter(({ name }) => isWanted(name))) if (isThere(mode)) results.push(await work(mode));
  return results;
}

async function measureInstances(): Promise<void> {
  const { instanceModes } = await import('../test/e2e/modes.ts');
  const results: InstancesResult[] = [];
  for (const pair of instanceModes().filter(({ two }) => isWanted(two.name))) {
    if (isThere(pair.two)) results.push(await instancesWorkload(pair, options));
  }
  report(results, instancesColumns);
}

async function measureReplay(): Promise<void> {
  const shape = values.shape as Shape;
  if (!(shape in SHAPES)) throw new Error(`there is no shape ${JSON.stringify(shape)}; there are ${Object.keys(SHAPES).join(', ')}`);
  const numbers = (text: string): number[] => text.split(',').map(Number);
  const results = await replayWorkload({
    file: values.file, events: Number(values.events), shape, rooms: Number(values.rooms), roomVersion: values['room-version'], runs: options.runs,
    partitions: numbers(values.partitions), instances: numbers(values.instances), oneCore: values['one-core'], isWanted,
  });
  report(results, replayColumns);
  writeFileSync(`${values.out}/replay.svg`, plot('events replayed per second', results.map((one) => ({ label: `${one.mode}, ${one.instances} x ${one.partitions}`, value: one.perSecond }))));
}

function isThere({ name, missing }: Mode): boolean {
  console.log(missing === undefined ? `${name} …` : `NOT MEASURED: ${name}: ${missing} is not here`);
  return missing === undefined;
}

/** Prints the table and writes the same as JSON. */
function report<Result>(results: readonly Result[], columns: readonly Column<Result>[]): void {
  const machine = `${cpus().length} x ${cpus()[0]?.model ?? 'unknown CPU'}, Node ${process.version}; the load driver and all servers share them`;
  console.log(`\n${machine}\n${servers.durability}\n\n${table(columns, results)}`);
  mkdirSync(values.out, { recursive: true });
  writeFileSync(`${values.out}/${workload}.json`, `${JSON.stringify({ workload, machine, durability: servers.durability, ...options, results }, null, 1)}\n`);
  console.log(`\nwritten: ${values.out}/${workload}.json`);
}
