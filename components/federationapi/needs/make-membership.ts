/** The first half of a join, leave or knock by another server's help: its template becomes an event of this server (make_join, make_leave, make_knock). */
import { buildEvent, type BuiltEvent } from '../../../pkg/matrix/events/build-event.ts';
import type { EventReference } from '../../../pkg/matrix/events/references.ts';
import { validateEvent } from '../../../pkg/matrix/events/validate-event.ts';
import { CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isUserId } from '../../../pkg/matrix/ids/user-id.ts';
import { ROOM_VERSIONS, type RoomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import type { NeedJob, NeedTools } from './job.ts';
import { malformed, objectIn, versionOf } from './lists.ts';

export interface MembershipWish {
  /** Server that helps. */
  readonly server: string;
  readonly userId: string;
  readonly membership: 'join' | 'leave' | 'knock';
  /** What the user wants the event to say. */
  readonly content: Record<string, unknown>;
}

export interface MadeMembership extends BuiltEvent {
  readonly version: RoomVersion;
  /** Server that must sign it too (a join of a restricted room). */
  readonly authorisedBy: string | undefined;
}

const LIMIT_MS = 15_000;

/**
 * Asks for a template and makes an event of it, hashed and signed. Only the event's place and who authorises it are taken from the template: what the event says is for the user
 * here to decide. Rejects with `NeedFailure` and `FederationError`.
 */
export async function makeMembership(tools: NeedTools, job: NeedJob, wish: MembershipWish): Promise<MadeMembership> {
  const { server, userId, membership } = wish;
  const answer = await tools.ask(job, {
    destination: server, method: 'GET', path: `/_matrix/federation/v1/make_${membership}/${encodeURIComponent(job.roomId)}/${encodeURIComponent(userId)}`,
    ...(membership !== 'leave' && { query: { ver: ROOM_VERSIONS.map(({ id }) => id) } }), limitMs: LIMIT_MS, insistent: true,
  });
  const { room_version: versionId = '1' } = answer;
  if (typeof versionId !== 'string') throw malformed('room_version is not a string');
  const version = versionOf(versionId);
  const template = objectIn(answer, 'event');
  const named = template['room_id'] === job.roomId && template['type'] === 'm.room.member' && template['sender'] === userId && template['state_key'] === userId;
  if (!named || objectIn(template, 'content')['membership'] !== membership) throw malformed(`the template is not that of the user's ${membership}`);
  const authoriser = membership === 'join' && version.restrictedJoin ? objectIn(template, 'content')['join_authorised_via_users_server'] : undefined;
  if (authoriser !== undefined && !isUserId(authoriser)) throw malformed('join_authorised_via_users_server is not a user ID');
  const { join_authorised_via_users_server: _given, ...content } = wish.content;
  const event = complete(tools, { job, version, template, userId, content: { ...content, membership, ...(authoriser !== undefined && { join_authorised_via_users_server: authoriser }) } });
  return { ...event, version, authorisedBy: authoriser === undefined ? undefined : domainOf(authoriser) };
}

function complete(tools: NeedTools, { job, version, template, userId, content }: {
  job: NeedJob; version: RoomVersion; template: Record<string, unknown>; userId: string; content: Record<string, unknown>;
}): BuiltEvent {
  const { prev_events: prevEvents, auth_events: authEvents, depth } = template;
  try {
    const built = buildEvent({
      version, draft: { type: 'm.room.member', sender: userId, state_key: userId, content }, roomId: job.roomId, depth: depth as number,
      prevEvents: Array.isArray(prevEvents) ? prevEvents as EventReference[] : [], authEvents: Array.isArray(authEvents) ? authEvents as EventReference[] : [],
      originServerTs: tools.clock.now(), serverName: tools.serverName, signingKey: tools.signingKey,
    });
    const validity = validateEvent(built.pdu, version);
    if (!validity.valid) throw malformed(validity.reason);
    return built;
  } catch (error) {
    if (error instanceof CanonicalJsonError) throw malformed(error.message);
    throw error;
  }
}
