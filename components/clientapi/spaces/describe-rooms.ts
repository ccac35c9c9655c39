/** What a user may know of rooms: of those that this server is in from its own tables, of others from servers that are in them. */
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { isServerName } from '../../../pkg/matrix/ids/server-name.ts';
import { userMayKnow } from '../../../pkg/matrix/room-summary/may-know.ts';
import { SUMMARY_STATE, type RoomSummary } from '../../../pkg/matrix/room-summary/room-summary.ts';
import type { SpaceChild } from '../../../pkg/matrix/room-summary/space-children.ts';
import { childrenOf, summariesOf } from '../../../pkg/matrix/room-summary/summaries-of.ts';
import type { RemoteHierarchy } from '../../../pkg/federation/ask-hierarchy.ts';
import type { Context } from '../context.ts';

export const SPACE = 'm.space';

export interface Described {
  readonly summary: RoomSummary;
  /** Of a space, in the order of the spec. */
  readonly children: readonly SpaceChild[];
  /** What the server said that told of it; absent: this server knows by itself. */
  readonly told?: RemoteHierarchy;
}

/** A room to be described, and where it might be known. */
export interface Wanted {
  readonly roomId: string;
  readonly via: readonly string[];
  /** What was said of the space that it was found in. */
  readonly told?: RemoteHierarchy | undefined;
}

export interface Describer {
  /** Finds out about rooms, so that `known` tells; but for those that there was no time left to ask for. */
  describe(wanted: readonly Wanted[]): Promise<void>;
  /** `hidden`: not for this user, or nobody knows. undefined: not found out yet. */
  known(roomId: string): Described | 'hidden' | undefined;
  /** The user's membership of now; undefined: none, or that they have left. */
  membership(roomId: string): string | undefined;
}

export interface DescriberOptions {
  /** undefined: nobody who is known; what all may know is told. */
  readonly userId: string | undefined;
  readonly suggestedOnly: boolean;
  /** Requests to other servers. */
  readonly requestsMax: number;
  /** For all of them. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

type Ports = Pick<Context, 'roomQuery' | 'syncQuery' | 'serverName' | 'remoteRooms' | 'runtime'>;

const AT_ONCE_MAX = 5;

/** For one request: what it has found out it does not ask again. */
export async function createDescriber(ports: Ports, options: DescriberOptions): Promise<Describer> {
  const { clock } = ports.runtime;
  const standing = options.userId === undefined ? new Map<string, string>() : await ports.syncQuery.standing(options.userId);
  const found = new Map<string, Described | 'hidden'>();
  const endsAt = clock.monotonic() + options.deadlineMs;
  let requests = options.requestsMax;

  function judged(room: Described | undefined): Described | 'hidden' {
    const asking = { membership: room && standing.get(room.summary.room_id), isJoinedTo: (roomId: string) => standing.get(roomId) === 'join' };
    return room !== undefined && userMayKnow(room.summary, asking) ? room : 'hidden';
  }

  async function describeRemote(wanted: Wanted): Promise<void> {
    const { roomId, told } = wanted;
    const hint = told?.rooms.get(roomId);
    if (told?.inaccessible.has(roomId) === true && standing.get(roomId) === undefined) return void found.set(roomId, 'hidden');
    if (hint !== undefined && hint.room_type !== SPACE) return void found.set(roomId, judged({ summary: hint, children: [] }));
    const kept = ports.remoteRooms.known(roomId, options.suggestedOnly);
    // The invite may have come since nobody could tell.
    const known = kept === undefined || (kept === 'nothing' && standing.has(roomId)) ? await ask(wanted) : kept;
    if (known === undefined) return;
    const room = known === 'nothing' ? hint && { summary: hint, children: [] } : { summary: known.room, children: known.children, told: known };
    found.set(roomId, judged(room));
  }

  async function ask({ roomId, via }: Wanted): Promise<RemoteHierarchy | 'nothing' | undefined> {
    const servers = [...new Set([...via, domainOf(roomId)])].filter((name) => name !== ports.serverName && isServerName(name));
    if (servers.length === 0) return 'nothing';
    const left = endsAt - clock.monotonic();
    if (requests <= 0 || left <= 0) return undefined;
    requests -= 1;
    const answer = await ports.remoteRooms.ask({ roomId, suggestedOnly: options.suggestedOnly, servers, deadlineMs: left, signal: options.signal });
    return answer ?? 'nothing';
  }

  return {
    membership: (roomId) => standing.get(roomId),
    known: (roomId) => found.get(roomId),
    async describe(wanted) {
      const missing = wanted.filter(({ roomId }) => !found.has(roomId));
      const here = await describeOwn(ports, missing.map(({ roomId }) => roomId));
      for (const [roomId, room] of here) found.set(roomId, judged(room));
      const elsewhere = missing.filter(({ roomId }) => !here.has(roomId));
      for (let at = 0; at < elsewhere.length; at += AT_ONCE_MAX) await Promise.all(elsewhere.slice(at, at + AT_ONCE_MAX).map(describeRemote));
    },
  };
}

/** Those of the rooms that this server is in. */
async function describeOwn({ roomQuery, syncQuery, serverName }: Pick<Ports, 'roomQuery' | 'syncQuery' | 'serverName'>, roomIds: readonly string[]): Promise<Map<string, Described>> {
  const here = [...(await roomQuery.roomsWith(roomIds, serverName, ['join']))];
  if (here.length === 0) return new Map();
  const [state, joined] = await Promise.all([roomQuery.currentStates(here, SUMMARY_STATE), syncQuery.joinedCounts(here)]);
  const summaries = summariesOf(state, joined);
  const spaces = [...summaries.values()].filter(({ room_type: type }) => type === SPACE).map(({ room_id: roomId }) => roomId);
  const children = spaces.length === 0 ? new Map<string, SpaceChild[]>() : childrenOf(await roomQuery.spaceChildren(spaces));
  return new Map([...summaries].map(([roomId, summary]) => [roomId, { summary, children: children.get(roomId) ?? [] }]));
}
