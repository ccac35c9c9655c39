/** What inputs about a user's settings for rooms look at: the account data that they may change, and the room of the server's notices. */
import type { Reader } from '../../../pkg/storage/database.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import type { UserWrite } from './effects.ts';

export interface RoomSettingsFacts {
  /** Content by `accountDataKey`; only of what such inputs change. */
  readonly accountData: Map<string, Uint8Array>;
  /** Empty: there is none. */
  noticeRoom: string;
}

export const TAGS = 'm.tag';
export const DIRECT_ROOMS = 'm.direct';

export function emptyRoomSettings(): RoomSettingsFacts {
  return { accountData: new Map(), noticeRoom: '' };
}

export function accountDataKey(roomId: string, type: string): string {
  return JSON.stringify([roomId, type]);
}

type DataRow = { user_id: string; room_id: string; type: string; content: Uint8Array };
type NoticeRow = { user_id: string; room_id: string };

/** By user, of those whose inputs need it: nothing is read for others. */
export async function loadRoomSettings(reader: Reader, inputs: readonly UserInput[]): Promise<Map<string, RoomSettingsFacts>> {
  const about = inputs.filter(({ followUpgrade, setNoticeRoom, setTag }) => followUpgrade ?? setNoticeRoom ?? setTag);
  const facts = new Map(about.map(({ userId }) => [userId, emptyRoomSettings()]));
  if (facts.size === 0) return facts;
  const [notices, ...data] = await Promise.all([
    reader.queryIn<NoticeRow>('SELECT user_id, room_id FROM notice_rooms WHERE user_id IN (??)', [], [...facts.keys()]),
    ...[...facts.keys()].map((userId) => readAccountData(reader, userId, roomsOf(about.filter((input) => input.userId === userId)))),
  ]);
  for (const row of data.flat()) facts.get(row.user_id)!.accountData.set(accountDataKey(row.room_id, row.type), row.content);
  for (const row of notices) facts.get(row.user_id)!.noticeRoom = row.room_id;
  return facts;
}

function roomsOf(inputs: readonly UserInput[]): string[] {
  return [...new Set(inputs.flatMap(({ followUpgrade: follow, setNoticeRoom: notices, setTag: tag }) => [follow?.oldRoomId, follow?.newRoomId, notices?.roomId, tag?.roomId].filter((id) => id !== undefined)))];
}

/** One query a user: rows are found by user and room. */
function readAccountData(reader: Reader, userId: string, roomIds: readonly string[]): Promise<DataRow[]> {
  return reader.queryIn<DataRow>('SELECT user_id, room_id, type, content FROM account_data WHERE user_id = ? AND (type = ? OR type = ?) AND room_id IN (??)', [userId, TAGS, DIRECT_ROOMS], ['', ...roomIds]);
}

/** Carries the facts forward over a write. */
export function advanceRoomSettings(facts: RoomSettingsFacts, write: UserWrite): void {
  if (write.kind === 'notice-room') facts.noticeRoom = write.roomId;
  if (write.kind === 'account-data' && (write.type === TAGS || write.type === DIRECT_ROOMS)) facts.accountData.set(accountDataKey(write.roomId, write.type), write.content);
}
