/** PURE. Tags of rooms (Client-Server API, "Room Tagging"): the room's account data m.tag, changed a tag at a time, so that two devices at once lose nothing. */
import { accepted, rejected, type Draft, type Verdict } from './draft.ts';
import { accountDataKey, TAGS } from './room-settings-facts.ts';

type Content = Readonly<Record<string, unknown>>;

const BYTES_MAX = 64 * 1024;

/** `content` empty: the tag is taken away. One that is not there is no error. */
export function decideSetTag(draft: Draft, { roomId, tag, content }: { roomId: string; tag: string; content: Uint8Array }): Verdict {
  const data = contentOf(draft.picture.roomSettings.accountData.get(accountDataKey(roomId, TAGS)));
  const { [tag]: before, ...others } = objectOf(data['tags']);
  if (content.length === 0 && before === undefined) return accepted(draft);
  // A key `__proto__` is a plain one: spreading defines it, assigning would not.
  const tags = content.length === 0 ? others : { ...others, ...Object.fromEntries([[tag, contentOf(content)]]) };
  const bytes = Buffer.from(JSON.stringify({ ...data, tags }));
  if (bytes.length > BYTES_MAX) return rejected(413, 'M_TOO_LARGE', `The tags of a room have at most ${BYTES_MAX} bytes`);
  const sequence = draft.emit({ accountData: { roomId, type: TAGS, content: bytes } });
  draft.writes.push({ kind: 'account-data', roomId, type: TAGS, content: bytes, sequence });
  return accepted(draft);
}

function contentOf(bytes: Uint8Array | undefined): Content {
  return bytes === undefined ? {} : objectOf(JSON.parse(Buffer.from(bytes).toString('utf8')));
}

function objectOf(value: unknown): Content {
  return typeof value === 'object' && value !== null && !Array.isArray(value) ? (value as Content) : {};
}
