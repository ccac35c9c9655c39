import type { CreateRoom } from '../../../schemas/log/room-input.ts';
import type { RejectedOutcome } from '../../../pkg/log/processor.ts';
import { authorize } from '../../../pkg/matrix/auth/authorize.ts';
import { canonicalJson, CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { checkSize } from '../../../pkg/matrix/events/check-size.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import { contentHashMatches } from '../../../pkg/matrix/events/hashes.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import { isEventIdOf } from '../../../pkg/matrix/ids/event-id.ts';
import { isRoomIdOf, roomIdOfCreateEvent } from '../../../pkg/matrix/ids/room-id.ts';
import { roomVersion, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { verifyEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import { OWN_LIST } from '../directory/published-row.ts';
import { headerOf, rejected, type Deciding, type RoomDecision } from './decision.ts';
import type { NewEvent } from './effects.ts';
import { DEFAULT_VISIBILITY } from './history-visibility.ts';
import { makeEvent } from './make-event.ts';
import { encodeEvent, encodePublished } from './outputs.ts';
import { parseContent } from './parse-content.ts';
import { noteReferences } from './references.ts';
import { refused } from './refused.ts';
import { advance, currentStateOf, headOf, rowAfter, rowOf, type RoomHead } from './room-head.ts';

/** PURE. A room with all its first events and its place in the room directory, or none of them: the reason is then that of the first event that is refused. */
export function decideCreateRoom(deciding: Deciding, create: CreateRoom, exists: boolean): RoomDecision {
  const { input, place, picture, signer } = deciding;
  const version = roomVersion(create.roomVersion);
  if (version === undefined) return rejected(refused(400, 'M_UNSUPPORTED_ROOM_VERSION', `This server does not support room version ${create.roomVersion}`));
  if (exists) return rejected(refused(400, 'M_ROOM_IN_USE', 'There is a room with this ID already'));
  if (create.alias) {
    const reserved = picture.aliases.get(create.alias);
    if (reserved?.roomId !== input.roomId) return rejected(refused(400, 'M_ROOM_IN_USE', 'The room alias is taken'));
  }
  const first = readCreateEvent(deciding, create, version);
  if ('why' in first) return rejected(first.why);

  const head = headOf({
    roomId: input.roomId, roomVersion: version.id, partition: place.partition, creator: create.sender, createEventId: first.event.eventId,
    orderKey: 0, depth: 0, stateId: 0, stateDepth: 0, lastStateId: 0, extremities: [],
  }, version, true);
  const events: NewEvent[] = [first.event];
  follow(head, first.event);
  for (const draft of create.events) {
    const made = makeEvent({
      picture, head, signer, sender: create.sender, draft, originServerTs: input.originServerTs, deviceId: '', txnId: '', sequence: place.nextSequence + events.length,
    });
    if (made.kind === 'refused') return rejected(made.why);
    if (made.kind === 'same') continue;
    events.push(made.event);
    follow(head, made.event);
  }
  const header = headerOf(input, version.id);
  const published = create.published === true ? { networks: [OWN_LIST], roomVersion: version.id, sequence: place.nextSequence + events.length } : undefined;
  const listed = published === undefined ? [] : [encodePublished(header, published)];
  return {
    kind: 'accepted',
    effects: { inputId: input.inputId, roomId: input.roomId, room: rowOf(head), events, redactions: [], ...(published !== undefined && { published }) },
    outputs: [...events.map((event) => encodeEvent(header, event)), ...listed],
    result: { room_id: input.roomId },
  };
}

function follow(head: RoomHead, event: NewEvent): void {
  advance(head, rowAfter(head, event, [event.eventId]), currentStateOf(event)?.steps ?? []);
  noteReferences(head, [event]);
}

/** The create event that clientapi built and signed, checked like one from outside: it must be what `buildEvent` makes of it. */
function readCreateEvent({ input, place, signer }: Deciding, create: CreateRoom, version: RoomVersion): { event: NewEvent } | { why: RejectedOutcome } {
  const pdu = parseContent(create.createEvent) as Pdu | undefined;
  if (pdu === undefined || !hasCreateShape(pdu)) return { why: badCreate('is not a create event') };
  if (pdu.sender !== create.sender || !isLocalUser(pdu.sender, signer.serverName)) return { why: badCreate('is not from its sender') };
  if (pdu.content.room_version !== version.id) return { why: badCreate('names another room version') };
  try {
    const json = canonicalJson(pdu);
    const eventId = eventIdOf(pdu, version);
    if (!makesRoom(pdu, { eventId, roomId: input.roomId, version })) return { why: badCreate('is of another room, or has no event ID') };
    if (checkSize({ pdu, eventId, json }) === 'too_large') return { why: refused(413, 'M_TOO_LARGE', 'The create event is larger than an event may be') };
    const { keyId, publicKey } = signer.signingKey;
    if (!contentHashMatches(pdu, version) || !verifyEvent(pdu, version, { serverName: signer.serverName, keyId, publicKey })) return { why: badCreate('has a wrong hash or signature') };
    const verdict = authorize({ event: pdu, version, state: () => undefined, roomId: input.roomId });
    if (!verdict.allowed) return { why: refused(400, 'M_BAD_JSON', verdict.reason) };
    return {
      event: {
        eventId, pdu, bytes: Buffer.from(json), kind: 'local', verdict: 'accepted', orderKey: 1, sequence: place.nextSequence, stateId: 1,
        states: [{ stateId: 1, prevStateId: 0, depth: 1, isCurrent: true, steps: [{ type: pdu.type, stateKey: '', entry: { eventId, pdu }, replaces: undefined }] }],
        historyVisibility: DEFAULT_VISIBILITY, deviceId: '', txnId: '', redacts: undefined, stateBeforeDiffers: false, relayOf: '',
      },
    };
  } catch (error) {
    if (error instanceof CanonicalJsonError) return { why: refused(400, 'M_BAD_JSON', `The create event cannot be put into canonical JSON: ${error.message}`) };
    throw error;
  }
}

function makesRoom(pdu: Pdu, { eventId, roomId, version }: { eventId: string; roomId: string; version: RoomVersion }): boolean {
  const made = version.roomIdFormat === 'create-hash' ? roomIdOfCreateEvent(eventId) : pdu.room_id;
  return made === roomId && isRoomIdOf(version, roomId) && isEventIdOf(version, eventId);
}

function hasCreateShape(pdu: Pdu): boolean {
  const { type, state_key: stateKey, sender, content, depth, prev_events: prev, auth_events: auth, origin_server_ts: ts } = pdu;
  return type === 'm.room.create' && stateKey === '' && typeof sender === 'string' && typeof content === 'object' && content !== null
    && depth === 1 && Array.isArray(prev) && prev.length === 0 && Array.isArray(auth) && auth.length === 0 && Number.isSafeInteger(ts);
}

function badCreate(what: string): RejectedOutcome {
  return refused(400, 'M_BAD_JSON', `The create event ${what}`);
}
