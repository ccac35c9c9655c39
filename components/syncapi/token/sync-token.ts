/**
 * The sync token: a place in everything that /sync sends, as sequence numbers per stream and partition. It outlives restarts, rebuilds of the read model, and moves
 * between logs and instances, because sequence numbers do.
 *
 * Wire form: `m1` and the base64url text of: map version, then sections of (tag, length, payload), numbers as varints. Sections that
 * an older instance does not know are skipped, so that streams can be added while old and new instances serve side by side. What is of one device stands first, filled up to whole groups of
 * characters: so the thousands who are told of one message have the rest of their tokens in common, which is written and read once for all of them.
 */
import { createRecent } from '../../../pkg/assert/recent.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { rememberLast } from './remember-last.ts';
import { MalformedBytes, VarintReader, writeVarint } from './varint.ts';

/** Place in the typing notices of one partition of rooms, or the presence of one of users: its owner's epoch, and the owner's counter within it. */
export interface SoftPlace {
  readonly partition: number;
  readonly epoch: number;
  readonly counter: number;
}

/** Place in the messages to one device of the user. */
export interface ToDevicePlace {
  /** Stands for the device's ID. */
  readonly device: number;
  /** Of user-output, in the user's partition: the device has all up to there. */
  readonly sequence: number;
  /** Some of those may still be stored. */
  readonly isUnacknowledged: boolean;
}

export interface SyncPosition {
  /** Version of the partition map that the vectors are made with. */
  readonly mapVersion: number;
  /** Sequence number of room-output seen, by partition. */
  readonly room: readonly number[];
  /** Sequence number of user-output seen, by partition. */
  readonly user: readonly number[];
  /** Partitions whose typing was seen, in order. */
  readonly typing: readonly SoftPlace[];
  /** Wall-clock ms of the answer if somebody was typing in it (that may run out since), else 0. */
  readonly typingAtMs: number;
  /** Partitions of users whose presence was seen, in order; absent: none. */
  readonly presence?: readonly SoftPlace[];
  /** Absent: no messages to devices were told. */
  readonly toDevice?: ToDevicePlace;
}

const PREFIX = 'm1';
const SECTION = { room: 1, user: 2, typing: 3, typingAt: 4, presence: 5, toDevice: 7, filling: 8 } as const;
/** More than any map has; keeps a forged token from asking for much memory. */
const PARTITIONS_MAX = 4096;
const TOKEN_LENGTH_MAX = 64 * 1024;
/** Bytes and characters of a group of base64. */
const GROUP = { bytes: 3, characters: 4 } as const;
/** More characters than what is of one device takes. */
const OWN_LENGTH_MAX = 48;
/** Ends of tokens that are remembered, and how long the tokens may be. */
const SHARED = { endsMax: 256, lengthMax: 4096 } as const;

type SharedPlaces = Omit<SyncPosition, 'mapVersion' | 'toDevice'>;

const sharedPlaces = createRecent<SharedPlaces>(SHARED.endsMax, { lazy: true });

/** The position as a URL-safe token. */
export function encodeSyncToken({ mapVersion, toDevice, ...places }: SyncPosition): string {
  const own: number[] = [];
  writeVarint(own, mapVersion);
  if (toDevice !== undefined) writeSection(own, SECTION.toDevice, [toDevice.device, toDevice.sequence, toDevice.isUnacknowledged ? 1 : 0]);
  const missing = (GROUP.bytes - (own.length % GROUP.bytes)) % GROUP.bytes;
  // A section takes two bytes at least.
  if (missing > 0) writeSection(own, SECTION.filling, missing === 1 ? [0, 0] : []);
  return PREFIX + Buffer.from(own).toString('base64url') + (places.typingAtMs > 0 ? sharedText(places) : quietText(places.room, places.user, places.typing, places.presence));
}

function sharedText({ room, user, typing, typingAtMs, presence }: SharedPlaces): string {
  const bytes: number[] = [];
  writeSection(bytes, SECTION.room, room);
  writeSection(bytes, SECTION.user, user);
  writeSection(bytes, SECTION.typing, numbersOf(typing));
  if (typingAtMs > 0) writeSection(bytes, SECTION.typingAt, [typingAtMs]);
  if (presence !== undefined && presence.length > 0) writeSection(bytes, SECTION.presence, numbersOf(presence));
  return Buffer.from(bytes).toString('base64url');
}

/** While nobody types, which has its time in the token. */
const quietText = rememberLast((room: SyncPosition['room'], user: SyncPosition['user'], typing: SyncPosition['typing'], presence: SyncPosition['presence']): string =>
  sharedText({ room, user, typing, typingAtMs: 0, ...(presence !== undefined && { presence }) }));

/** The position that a token stands for; tokens with the same place in what is everybody's share its vectors. Throws 400 M_INVALID_PARAM for what is no token. */
export function decodeSyncToken(token: string): SyncPosition {
  if (!token.startsWith(PREFIX) || token.length > TOKEN_LENGTH_MAX) throw invalidToken();
  const text = token.slice(PREFIX.length);
  try {
    const own = readOwn(text);
    const known = own && sharedPlaces.get(text.slice(own.length));
    if (known !== undefined) return { mapVersion: own!.mapVersion, ...known, ...own!.place };
    const { mapVersion, toDevice, ...shared } = readPosition(new VarintReader(bytesOf(text)));
    // A string of its own: what is cut out of a request keeps the whole request.
    if (own !== undefined && text.length <= SHARED.lengthMax) sharedPlaces.set(Buffer.from(text.slice(own.length), 'latin1').toString('latin1'), shared);
    return { mapVersion, ...shared, ...(toDevice !== undefined && { toDevice }) };
  } catch (error) {
    if (error instanceof MalformedBytes) throw invalidToken();
    throw error;
  }
}

/** What is of one device, and how many characters it takes; undefined: the text is not written that way, or is no token. */
function readOwn(text: string): { mapVersion: number; place: Pick<SyncPosition, 'toDevice'>; length: number } | undefined {
  const bytes = bytesOf(text.slice(0, OWN_LENGTH_MAX));
  const reader = new VarintReader(bytes);
  const mapVersion = reader.next();
  if (reader.done || reader.next() !== SECTION.toDevice) return undefined;
  const payload = new VarintReader(reader.take(reader.next()));
  const values: number[] = [];
  while (!payload.done) values.push(payload.next());
  if (reader.at % GROUP.bytes !== 0) {
    if (reader.done || reader.next() !== SECTION.filling) return undefined;
    reader.take(reader.next());
  }
  return reader.at % GROUP.bytes !== 0 ? undefined : { mapVersion, place: readToDevice(values), length: (reader.at / GROUP.bytes) * GROUP.characters };
}

function bytesOf(text: string): Buffer {
  const bytes = Buffer.from(text, 'base64url');
  if (bytes.toString('base64url') !== text) throw new MalformedBytes('not base64url');
  return bytes;
}

export function isSyncToken(token: string): boolean {
  return token.startsWith(PREFIX) && /^[A-Za-z0-9_-]+$/.test(token);
}

/** Whether `later` has seen all that `earlier` has of the durable streams. */
export function covers(later: SyncPosition, earlier: SyncPosition): boolean {
  const reaches = (a: readonly number[], b: readonly number[]): boolean => b.every((sequence, partition) => (a[partition] ?? 0) >= sequence);
  return reaches(later.room, earlier.room) && reaches(later.user, earlier.user);
}

export function invalidToken(): MatrixError {
  return new MatrixError(400, 'M_INVALID_PARAM', 'This is not a token of this server');
}

function writeSection(into: number[], tag: number, values: readonly number[]): void {
  const payload: number[] = [];
  for (const value of values) writeVarint(payload, value);
  writeVarint(into, tag);
  writeVarint(into, payload.length);
  for (const byte of payload) into.push(byte);
}

function readPosition(reader: VarintReader): SyncPosition {
  const mapVersion = reader.next();
  const sections = new Map<number, number[]>();
  while (!reader.done) {
    const tag = reader.next();
    // No version of a token has it: what was appended may be zeros.
    if (tag === 0) throw new MalformedBytes('a section without a name');
    const payload = new VarintReader(reader.take(reader.next()));
    if (sections.has(tag)) throw new MalformedBytes('a section comes twice');
    const values: number[] = [];
    if (Object.values(SECTION).some((known) => known === tag)) while (!payload.done) values.push(payload.next());
    sections.set(tag, values);
  }
  const room = sections.get(SECTION.room);
  const user = sections.get(SECTION.user);
  if (room === undefined || user === undefined || Math.max(room.length, user.length) > PARTITIONS_MAX) throw new MalformedBytes('no vectors');
  const typingAt = sections.get(SECTION.typingAt) ?? [0];
  if (typingAt.length !== 1) throw new MalformedBytes('not one time');
  const presence = sections.get(SECTION.presence);
  return { mapVersion, room, user, typing: readPlaces(sections.get(SECTION.typing) ?? []), typingAtMs: typingAt[0] ?? 0, ...(presence !== undefined && { presence: readPlaces(presence) }), ...readToDevice(sections.get(SECTION.toDevice)) };
}

function numbersOf(places: readonly SoftPlace[]): number[] {
  return places.flatMap((place) => [place.partition, place.epoch, place.counter]);
}

function readToDevice(values: readonly number[] | undefined): Pick<SyncPosition, 'toDevice'> {
  if (values === undefined) return {};
  const [device, sequence, unacknowledged] = values;
  if (values.length !== 3 || device === undefined || sequence === undefined) throw new MalformedBytes('no place of a device');
  return { toDevice: { device, sequence, isUnacknowledged: unacknowledged === 1 } };
}

function readPlaces(values: readonly number[]): SoftPlace[] {
  if (values.length % 3 !== 0 || values.length > 3 * PARTITIONS_MAX) throw new MalformedBytes('no places');
  const places: SoftPlace[] = [];
  for (let at = 0; at < values.length; at += 3) {
    places.push({ partition: values[at] ?? 0, epoch: values[at + 1] ?? 0, counter: values[at + 2] ?? 0 });
  }
  return places;
}
