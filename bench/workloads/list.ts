/** The workloads: what each is called, what it tells of, what it may be asked for, and how it is measured. */
import { SHAPES, type Shape } from '../replay/make-history.ts';
import { flattened, inModes, onSubjects, type Asked, type Option, type Workload } from '../workload.ts';
import { bigAccountWorkload } from './bigaccount.ts';
import { deadServersColumns, deadServersWorkload } from './dead-servers.ts';
import { fanoutColumns, fanoutWorkload } from './fanout.ts';
import { federationInWorkload } from './federation-in.ts';
import { federationOutWorkload } from './federation-out.ts';
import { hostilePeersWorkload } from './hostile-peers.ts';
import { idleWorkload } from './idle.ts';
import { instancesWorkload } from './instances.ts';
import { joinColumns, joinWorkload } from './join.ts';
import { joinLargeColumns, joinLargeWorkload } from './join-large.ts';
import { keyBackupColumns, keyBackupWorkload } from './key-backup.ts';
import { keysQueryColumns, keysQueryWorkload } from './keys-query.ts';
import { longPollColumns, longPollWorkload } from './longpoll.ts';
import { replayWorkload } from './replay.ts';
import { resyncColumns, resyncWorkload } from './resync.ts';
import { sendWorkload } from './send.ts';
import { silentServerColumns, silentServerWorkload } from './silent-server.ts';
import { soakWorkload } from './soak.ts';
import { toDeviceColumns, toDeviceWorkload } from './to-device.ts';
import { unreadColumns, unreadWorkload } from './unread.ts';

const users: Option = { usage: 'how many users', byDefault: '5000' };
const events: Option = { usage: 'how many events', byDefault: '10000' };

export const WORKLOADS: readonly Workload[] = [
  {
    name: 'send', usage: "messages by 1, 16, 64 and 256 connections, and until another user's /sync has them", takesOthers: true,
    options: { connections: { usage: 'how many send at once', byDefault: '1,16,64,256' } },
    plot: { title: 'sends per second, 64 connections', what: '64 connections', figure: 'perSecond' },
    measure: (asked) => onSubjects(asked, (subject) => sendWorkload(subject, { ...common(asked), connections: numbers(asked, 'connections') })),
  },
  {
    name: 'instances', usage: 'what a message costs with two instances of every role instead of one',
    options: { connections: { usage: 'how many send at once; several with commas', byDefault: '64,256,768' } },
    measure: (asked) => instancesWorkload(asked, { ...common(asked), connections: numbers(asked, 'connections') }),
  },
  {
    name: 'federation-in', usage: "messages of one and of eight other servers over TLS, until a user's /sync has them", takesOthers: true, options: { events },
    measure: (asked) => onSubjects(asked, (subject) => federationInWorkload(subject, { runs: asked.runs, events: asked.number('events') })),
  },
  {
    name: 'federation-out', usage: 'messages of users here to a member of each of 200 other servers, until all have them', takesOthers: true,
    options: { destinations: { usage: 'how many servers', byDefault: '200' }, events: { usage: 'how many messages', byDefault: '200' } },
    measure: (asked) => onSubjects(asked, (subject) => federationOutWorkload(subject, { runs: asked.runs, destinations: asked.number('destinations'), events: asked.number('events') })),
  },
  {
    name: 'bigaccount', usage: 'an account in 2,000 rooms: its first /sync, and the next ones', takesOthers: true, options: { rooms: { usage: 'how many', byDefault: '2000' } },
    measure: (asked) => onSubjects(asked, (subject) => bigAccountWorkload(subject, { runs: asked.runs, rooms: asked.number('rooms') })),
  },
  {
    name: 'idle', usage: 'a server that nobody uses: until it answers after a start, memory, share of a core', options: { settle: { usage: 'seconds after the start', byDefault: '60' } },
    measure: (asked) => inModes(asked, (mode) => idleWorkload(mode, { ...common(asked), settle: asked.number('settle') })),
  },
  {
    name: 'fanout', usage: 'one room of 5,000 users here: sends until 50, 500 and all who sync have them, and joins', takesOthers: true,
    options: { users, sends: { usage: 'messages of each run while 50 sync; a third and a tenth as many while 500 and all do', byDefault: '100' } },
    measure: async (asked) => flattened(await inModes(asked, (mode) => fanoutWorkload(mode, { runs: asked.runs, users: asked.number('users'), sends: asked.number('sends') })), fanoutColumns),
  },
  {
    name: 'join', usage: '5,000 users here join one room, one after the other', takesOthers: true, options: { users },
    measure: async (asked) => flattened(await inModes(asked, async (mode) => [await joinWorkload(mode, { runs: asked.runs, users: asked.number('users') })]), joinColumns),
  },
  {
    name: 'longpoll', usage: '1,000 and 10,000 clients that wait in /sync: memory, idle CPU, and how soon they have 50 messages a second', takesOthers: true,
    options: { clients: { usage: 'how many wait; several with commas', byDefault: '1000,10000' } },
    measure: async (asked) => flattened(await inModes(asked, (mode) => longPollWorkload(mode, { ...common(asked), clients: numbers(asked, 'clients') })), longPollColumns),
  },
  {
    name: 'join-large', usage: 'a join of a room with 5,000 members of another server, and sends in other rooms meanwhile',
    measure: async (asked) => flattened(await joinLargeWorkload(common(asked)), joinLargeColumns),
  },
  {
    name: 'silent-server', usage: 'sends in a room with a member whose server never answers',
    measure: async (asked) => flattened(await silentServerWorkload(common(asked)), silentServerColumns),
  },
  {
    name: 'dead-servers', usage: 'what 1,000 servers that are gone cost: share of a core (each measurement takes a minute or --seconds)',
    measure: async (asked) => flattened(await deadServersWorkload(common(asked)), deadServersColumns),
  },
  {
    name: 'hostile-peers', usage: 'what servers that are slow, dead, or mean harm cost those who have nothing to do with them: sends and deliveries without and with them, memory',
    options: { kinds: { usage: 'only these, with commas (drip, silent, ..., "all at once")', byDefault: '' } },
    measure: hostilePeersWorkload,
  },
  {
    name: 'soak', usage: 'mixed load for half an hour: what each 100,000 events leave on the heap',
    options: { seconds: { usage: 'how long', byDefault: '1800' }, warm: { usage: 'events of the warm-up, at least', byDefault: '100000' }, rate: { usage: 'things begun in a second at most; 0: as fast as they are answered', byDefault: '0' }, rooms: { usage: 'made for the warm-up, which then fill the cache of rooms', byDefault: '9000' } },
    measure: (asked) => inModes(asked, (mode) => soakWorkload(mode, { seconds: asked.seconds, warmEvents: asked.number('warm'), perSecondMax: asked.number('rate'), oldRooms: asked.number('rooms') })),
  },
  {
    name: 'unread', usage: 'a million unread messages in a room with 5,000 users: /sync, and the receipt that clears them', options: { unread: { usage: 'how many messages', byDefault: '1000000' } },
    measure: async (asked) => flattened(await unreadWorkload({ unread: asked.number('unread'), runs: asked.runs, isWanted: asked.isWanted }), unreadColumns),
  },
  {
    name: 'resync', usage: '500 clients of a room with 10,000 members come back at once', options: { members: { usage: 'how many members the room has', byDefault: '10000' } },
    measure: async (asked) => flattened(await inModes(asked, (mode) => resyncWorkload(mode, { runs: asked.runs, members: asked.number('members') })), resyncColumns),
  },
  {
    name: 'key-backup', usage: '100,000 room keys are put into a backup and read whole: time and memory', options: { keys: { usage: 'how many', byDefault: '100000' } },
    measure: async (asked) => flattened(await inModes(asked, async (mode) => [await keyBackupWorkload(mode, { keys: asked.number('keys') })]), keyBackupColumns),
  },
  {
    name: 'keys-query', usage: 'one keys/query for 5,000 users with two devices each', options: { users },
    measure: async (asked) => flattened(await inModes(asked, async (mode) => [await keysQueryWorkload(mode, { runs: asked.runs, users: asked.number('users') })]), keysQueryColumns),
  },
  {
    name: 'to-device', usage: 'one message to 5,000 devices, until it is answered and until they have it', options: { users },
    measure: async (asked) => flattened(await inModes(asked, (mode) => toDeviceWorkload(mode, { runs: asked.runs, users: asked.number('users') })), toDeviceColumns),
  },
  {
    name: 'replay', usage: 'the history of a room from its create event on, until the read model has the last event',
    options: {
      events,
      shape: { usage: `one of ${Object.keys(SHAPES).join(', ')}`, byDefault: 'mixed' },
      rooms: { usage: 'in so many rooms', byDefault: '1' },
      warm: { usage: 'events of another history that are replayed before by the processes of the second row; 0: only processes that have just started', byDefault: '10000', mayBeNone: true },
      file: { usage: 'replay this file instead: a PDU in JSON a line; FILE.keys.json, if there, has the keys to check signatures with' },
      'room-version': { usage: 'of the rooms', byDefault: '11' },
      partitions: { usage: 'how many; several with commas', byDefault: '32' },
      instances: { usage: 'how many; several with commas', byDefault: '1' },
      'one-core': { usage: 'the server is bound to one core', isSwitch: true },
    },
    plot: { title: 'events replayed per second', figure: 'perSecond' },
    measure: measureReplay,
  },
];

function common({ seconds, runs }: Asked): { seconds: number; runs: number } {
  return { seconds, runs };
}

function numbers(asked: Asked, option: string): number[] {
  return asked.text(option)!.split(',').map(Number);
}

async function measureReplay(asked: Asked): ReturnType<Workload['measure']> {
  const shape = asked.text('shape') as Shape;
  if (!(shape in SHAPES)) throw new Error(`there is no shape ${JSON.stringify(shape)}; there are ${Object.keys(SHAPES).join(', ')}`);
  return replayWorkload({
    file: asked.text('file'), events: asked.number('events'), warmEvents: asked.number('warm'), shape, rooms: asked.number('rooms'), roomVersion: asked.text('room-version')!, runs: asked.runs,
    partitions: numbers(asked, 'partitions'), instances: numbers(asked, 'instances'), oneCore: asked.isOn('one-core'), isWanted: asked.isWanted, filled: await asked.filled(),
  });
}
