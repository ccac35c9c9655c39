/** What a user has set for a room: taken along to the room that replaces it, and the tag of the room of the server's notices. */
import { followRules } from '../../../pkg/matrix/push-rules/follow-rules.ts';
import type { FollowUpgrade, SetNoticeRoom } from '../../../schemas/log/user-input.ts';
import { PUSH_RULES } from './about-push-rules.ts';
import { accepted, type Draft, type Verdict } from './draft.ts';
import { accountDataKey, DIRECT_ROOMS, TAGS } from './room-settings-facts.ts';

type Content = Readonly<Record<string, unknown>>;

/** Tells clients which room it is (Client-Server API, "Server Notices"). */
const NOTICES_TAG = 'm.server_notice';
const BYTES_MAX = 64 * 1024;

/**
 * Tags, push rules, and whether the room is a direct chat, as far as the new room has none of its own (Client-Server API, "Room Upgrades": when a user joins the new room). What the old room has
 * stays: it is still there.
 */
export function decideFollowUpgrade(draft: Draft, { oldRoomId, newRoomId }: FollowUpgrade): Verdict {
  const { accountData } = draft.picture.roomSettings;
  const tagsOf = (roomId: string): Content => objectIn(contentOf(accountData.get(accountDataKey(roomId, TAGS))), 'tags');
  const { [NOTICES_TAG]: _notices, ...tags } = tagsOf(oldRoomId);
  const before = tagsOf(newRoomId);
  if (Object.keys(tags).some((tag) => !Object.hasOwn(before, tag))) put(draft, { roomId: newRoomId, type: TAGS }, { tags: { ...tags, ...before } });
  const direct = contentOf(accountData.get(accountDataKey('', DIRECT_ROOMS)));
  const directAfter = withDirectRoom(direct, oldRoomId, newRoomId);
  if (directAfter !== undefined) put(draft, { roomId: '', type: DIRECT_ROOMS }, directAfter);
  const rules = draft.picture.pushRules && followRules(contentOf(draft.picture.pushRules), oldRoomId, newRoomId);
  if (rules !== undefined) put(draft, { roomId: '', type: PUSH_RULES }, rules);
  return accepted(draft);
}

/** The first room stands, unless it is the one that is to be replaced: the result says which it is. The user's tag comes with it. */
export function decideSetNoticeRoom(draft: Draft, { roomId, replaces }: SetNoticeRoom): Verdict {
  const { noticeRoom, accountData } = draft.picture.roomSettings;
  if (noticeRoom !== replaces) return accepted(draft, { room_id: noticeRoom });
  draft.writes.push({ kind: 'notice-room', roomId });
  const tags = objectIn(contentOf(accountData.get(accountDataKey(roomId, TAGS))), 'tags');
  put(draft, { roomId, type: TAGS }, { tags: { ...tags, [NOTICES_TAG]: {} } });
  return accepted(draft, { room_id: roomId });
}

/** Content of m.direct in which the new room stands beside the old one; undefined: nothing changes. */
function withDirectRoom(direct: Content, oldRoomId: string, newRoomId: string): Content | undefined {
  const isNews = (rooms: unknown): rooms is unknown[] => Array.isArray(rooms) && rooms.includes(oldRoomId) && !rooms.includes(newRoomId);
  if (!Object.values(direct).some(isNews)) return undefined;
  return Object.fromEntries(Object.entries(direct).map(([userId, rooms]) => [userId, isNews(rooms) ? [...rooms, newRoomId] : rooms]));
}

/** What would be too large is left as it is: the user has joined the room all the same. */
function put(draft: Draft, { roomId, type }: { roomId: string; type: string }, value: Content): void {
  const content = Buffer.from(JSON.stringify(value));
  if (content.length > BYTES_MAX) return;
  const sequence = draft.emit({ accountData: { roomId, type, content } });
  draft.writes.push({ kind: 'account-data', roomId, type, content, sequence });
}

function contentOf(bytes: Uint8Array | undefined): Content {
  return bytes === undefined ? {} : (JSON.parse(Buffer.from(bytes).toString('utf8')) as Content);
}

function objectIn(content: Content, key: string): Content {
  const value = content[key];
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Content) : {};
}
