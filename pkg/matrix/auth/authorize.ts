/**
 * The authorisation rules of all room versions (spec: rooms/, "Authorisation rules"). Comments give the number of each rule in versions 10 and 11; where version 12 counts
 * differently, as `10's/12's`; rules that only older versions have, with those versions. Rule 2/3, about the event's `auth_events`, is in `check-auth-events.ts`: it is checked once, on receipt, while these rules are
 * checked against several states.
 */
import { eventIdOf } from '../events/event-id.ts';
import type { Pdu } from '../events/pdu.ts';
import { domainOf } from '../ids/domain-of.ts';
import { createEventIdOfRoom } from '../ids/room-id.ts';
import { isUserId } from '../ids/user-id.ts';
import { roomVersion } from '../room-versions/room-versions.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { membershipOf } from './auth-context.ts';
import type { AuthContext, Authorize } from './auth-context.ts';
import { authorizeMember } from './authorize-member.ts';
import { authorizePowerLevels } from './authorize-power-levels.ts';
import { actionPower, requiredPower, roomPower, userPower } from './power-levels.ts';
import { ALLOWED, refuse } from './verdict.ts';
import type { AuthVerdict } from './verdict.ts';

/** Whether the rules allow the event in that state, and if not, why. */
export function authorize(input: Authorize): AuthVerdict {
  const { event, version, state, roomId } = input;
  // 1. The create event.
  if (event.type === 'm.room.create') return authorizeCreate(event, version);

  const create = state('m.room.create', '');
  if (create === undefined) return refuse('The room has no create event');
  const createEventId = memoisedEventId(create, version);
  // -/2. The room ID must be that of the create event; in all versions the event must be of this room.
  if (version.roomIdFormat === 'create-hash' && createEventIdOfRoom(roomId) !== createEventId) return refuse('The room ID is not that of the create event');
  if (event.room_id !== roomId) return refuse('The event belongs to another room');

  // 3/4. A room may be closed to other servers.
  if (create.content['m.federate'] === false && domainOf(event.sender) !== domainOf(create.sender)) {
    return refuse('The room is closed to users of other servers');
  }
  // 4 of versions 1 to 5. Whoever may or may not be in the room, a server says what its aliases are.
  if (event.type === 'm.room.aliases' && version.aliasesAuthorised) {
    return event.state_key === domainOf(event.sender) ? ALLOWED : refuse("The aliases are not of the sender's server");
  }
  const power = roomPower(state, version);
  const signedBy = input.signedBy ?? ((serverName: string) => Object.hasOwn(event.signatures, serverName));
  const context: AuthContext = { event, version, state, roomId, signedBy, create, createEventId, power, senderPower: userPower(power, event.sender) };
  // 4/5. Memberships.
  if (event.type === 'm.room.member') return authorizeMember(context);
  return authorizeFromMember(context);
}

/** Rules 5 to 10 / 6 to 11: events other than the create event and memberships. */
function authorizeFromMember(context: AuthContext): AuthVerdict {
  const { event, power, senderPower } = context;
  // 5/6.
  if (membershipOf(context.state, event.sender) !== 'join') return refuse(`${event.sender} is not joined to the room`);
  // 6/7. Third-party invites need the invite level and nothing else.
  if (event.type === 'm.room.third_party_invite') {
    return senderPower >= actionPower(power, 'invite') ? ALLOWED : refuse(`${event.sender} may not invite: power ${senderPower} of ${actionPower(power, 'invite')}`);
  }
  // 7/8.
  const required = requiredPower(power, event.type, event.state_key !== undefined);
  if (required > senderPower) return refuse(`${event.sender} may not send ${event.type}: power ${senderPower} of ${required}`);
  // 8/9.
  if (event.state_key?.startsWith('@') === true && event.state_key !== event.sender) return refuse('The state key names another user');
  // 9/10.
  if (event.type === 'm.room.power_levels') return authorizePowerLevels(context);
  // 11 of versions 1 and 2.
  if (event.type === 'm.room.redaction' && context.version.redactionAuthorised) return authorizeRedaction(context);
  // 10/11.
  return ALLOWED;
}

/** Rule 11 of versions 1 and 2: who has the redact level, or redacts an event of the same server by its ID. */
function authorizeRedaction({ event, version, power, senderPower }: AuthContext): AuthVerdict {
  const sameServer = event.redacts !== undefined && domainOf(event.redacts) === domainOf(eventIdOf(event, version));
  return senderPower >= actionPower(power, 'redact') || sameServer ? ALLOWED : refuse(`${event.sender} may not redact events of other servers`);
}

/** Rule 1. */
function authorizeCreate(event: Pdu, version: RoomVersion): AuthVerdict {
  // 1.1.
  if (event.prev_events.length > 0) return refuse('A create event cannot follow other events');
  // 1.2. The room ID is the event's own hash (12), or of the sender's server.
  if (version.roomIdFormat === 'create-hash') {
    if (event.room_id !== undefined) return refuse('The create event must not carry a room ID');
  } else if (domainOf(event.room_id ?? '') !== domainOf(event.sender)) {
    return refuse("The room ID is not of the creator's server");
  }
  // 1.3.
  const { room_version: named, additional_creators: additional } = event.content;
  if (named !== undefined && (typeof named !== 'string' || roomVersion(named) === undefined)) return refuse('The room version is not supported');
  // 1.4 of version 10 (and of those before).
  if (version.creatorInContent && event.content.creator === undefined) return refuse('The create event names no creator');
  // 1.4 of version 12.
  if (version.privilegedCreators && additional !== undefined && !(Array.isArray(additional) && additional.every(isUserId))) {
    return refuse('additional_creators is not a list of user IDs');
  }
  // 1.4 of version 11, 1.5.
  return ALLOWED;
}

/** IDs of create events: asked for with every event, never changing. */
const createEventIds = new WeakMap<Pdu, string>();

function memoisedEventId(create: Pdu, version: RoomVersion): string {
  const known = createEventIds.get(create);
  if (known !== undefined) return known;
  const eventId = eventIdOf(create, version);
  createEventIds.set(create, eventId);
  return eventId;
}
