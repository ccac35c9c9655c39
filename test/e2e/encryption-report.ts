/** What becomes of a device that waits in vain: how far its client is, and what the server and each of its instances would tell it now. */
import type { MatrixClient } from 'matrix-js-sdk';
import type { RequestRecord } from './request-record.ts';

const ANSWER_MS_MAX = 10_000;

interface Told {
  readonly next_batch: string;
  readonly to_device?: { readonly events: readonly object[] };
  readonly device_lists?: { readonly changed?: readonly string[]; readonly left?: readonly string[] };
  readonly rooms?: Readonly<Record<string, Readonly<Record<string, { readonly state?: Events; readonly state_after?: Events; readonly timeline?: Events & { readonly limited?: boolean } }>>>>;
}

interface Events {
  readonly events: readonly { readonly type: string; readonly state_key?: string; readonly content: { readonly membership?: string } }[];
}

/** `instances`: where the server's processes listen. */
export async function reportOf(client: MatrixClient, record: RequestRecord, instances: readonly string[]): Promise<string> {
  const since = client.store.getSyncToken();
  const state = `  ${client.getSyncState()} ${JSON.stringify(client.getSyncStateData() ?? {})}, at ${since}`;
  const members = client.getRooms().map((room) => `  ${room.roomId}: ${room.currentState.getMembers().map(({ userId, membership }) => `${userId} ${membership}`).join(', ')}`);
  const answers = await Promise.all([client.baseUrl, ...instances].map(async (baseUrl) => `  ${baseUrl} answers a sync: ${await wouldTell(client, baseUrl, since)}`));
  return [state, ...members, record.tell(), ...answers].join('\n');
}

/** Where the device is now, asked at one instance: without waiting, and so that nothing is changed. */
async function wouldTell(client: MatrixClient, baseUrl: string, since: string | null): Promise<string> {
  const startedAt = Date.now();
  try {
    const query = new URLSearchParams({ timeout: '0', set_presence: 'offline', ...(since === null ? {} : { since }) });
    const response = await fetch(`${baseUrl}/_matrix/client/v3/sync?${query.toString()}`, { headers: { authorization: `Bearer ${client.getAccessToken()}` }, signal: AbortSignal.timeout(ANSWER_MS_MAX) });
    const answer: unknown = await response.json();
    return `${response.status} after ${Date.now() - startedAt} ms: ${response.ok ? outline(answer as Told) : JSON.stringify(answer)}`;
  } catch (error) {
    return `${String(error)} after ${Date.now() - startedAt} ms`;
  }
}

function outline({ next_batch: next, rooms = {}, to_device: toDevice, device_lists: lists = {} }: Told): string {
  const inRooms = Object.entries(rooms).flatMap(([kind, byId]) => Object.entries(byId).map(([roomId, { state, state_after: after, timeline }]) =>
    `${kind} ${roomId}: ${timeline?.events.length ?? 0} events${timeline?.limited === true ? ' of more' : ''}, ${[state, after, timeline].flatMap((part) => part?.events ?? []).filter(({ type }) => type === 'm.room.member').map(({ state_key: who, content }) => `${who} ${content.membership}`).join(', ')}`));
  return [...inRooms, `${toDevice?.events.length ?? 0} messages to the device`, `changed devices: ${(lists.changed ?? []).join()}`, `to ${next}`].join('; ');
}
