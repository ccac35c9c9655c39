/** The texts that a received event is stored, hashed and signed as: each member is encoded once for all of them. */
import { canonicalMembers, tolerantMembers } from '../canonical-json/canonical-json.ts';
import type { RoomVersion } from '../room-versions/room-versions.ts';
import { eventText } from './event-text.ts';
import type { Pdu } from './pdu.ts';
import { redactContent } from './redact.ts';

export interface ReceivedTexts {
  /** `eventText` of the event. */
  readonly json: string;
  /** What the content hash covers (`contentHash`). */
  readonly hashed: string;
  /** `essentialText`. */
  readonly essential: string;
}

/** `received`: a valid event without `unsigned`. Throws `CanonicalJsonError`. */
export function receivedTexts(received: Omit<Pdu, 'unsigned'>, version: RoomVersion): ReceivedTexts {
  const members = version.strictCanonicalJson ? canonicalMembers(received) : tolerantMembers(received);
  const { eventKeys } = version.redaction;
  let [json, hashed, essential] = ['', '', ''];
  for (const { key, text } of members) {
    json += json === '' ? text : `,${text}`;
    if (key !== 'signatures' && key !== 'hashes') hashed += hashed === '' ? text : `,${text}`;
    if (key === 'signatures' || (key !== 'content' && !eventKeys.includes(key))) continue;
    const kept = key === 'content' ? keptContent(received, version, text) : text;
    essential += essential === '' ? kept : `,${kept}`;
  }
  return { json: `{${json}}`, hashed: `{${hashed}}`, essential: `{${essential}}` };
}

/** `text`: of the whole content. */
function keptContent({ type, content }: Pick<Pdu, 'type' | 'content'>, version: RoomVersion, text: string): string {
  const kept = redactContent(type, content, version.redaction);
  return kept === content ? text : `"content":${eventText(kept, version)}`;
}
