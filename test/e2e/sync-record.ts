/** Listens in on a client's requests: what /sync said on the wire, before the SDK merges and deduplicates it. */
export interface WireEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly content: Record<string, unknown>;
}

export interface SyncRecord {
  readonly fetch: typeof globalThis.fetch;
  /** /sync requests without `since`. */
  readonly initialSyncs: number;
  messages(roomId: string): WireEvent[];
  /** How many timelines of the room came with a gap, first sight of the room aside. */
  limited(roomId: string): number;
  typing(roomId: string): string[];
  receipts(roomId: string): { eventId: string; userId: string }[];
}

interface JoinedRoom {
  readonly timeline?: { readonly events: readonly WireEvent[]; readonly limited?: boolean };
  readonly ephemeral?: { readonly events: readonly { type: string; content: Record<string, never> }[] };
}

export function recordSyncs(): SyncRecord {
  const rooms = new Map<string, JoinedRoom[]>();
  let initialSyncs = 0;
  const ephemeral = (roomId: string, type: string) =>
    (rooms.get(roomId) ?? []).flatMap((room) => room.ephemeral?.events ?? []).filter((event) => event.type === type).map((event) => event.content);
  return {
    fetch: async (input, init) => {
      const url = new URL(String(input instanceof Request ? input.url : input));
      const response = await fetch(input, init);
      if (!url.pathname.endsWith('/sync') || !response.ok) return response;
      const text = await response.text();
      if (!url.searchParams.has('since')) initialSyncs += 1;
      const body = JSON.parse(text) as { rooms?: { join?: Record<string, JoinedRoom> } };
      for (const [roomId, room] of Object.entries(body.rooms?.join ?? {})) rooms.set(roomId, [...(rooms.get(roomId) ?? []), room]);
      return new Response(text, { status: response.status, headers: response.headers });
    },
    get initialSyncs() {
      return initialSyncs;
    },
    messages: (roomId) => (rooms.get(roomId) ?? []).flatMap((room) => room.timeline?.events ?? []).filter((event) => event.type === 'm.room.message'),
    limited: (roomId) => (rooms.get(roomId) ?? []).slice(1).filter((room) => room.timeline?.limited === true).length,
    typing: (roomId) => (ephemeral(roomId, 'm.typing').at(-1)?.['user_ids'] as string[] | undefined) ?? [],
    receipts: (roomId) => ephemeral(roomId, 'm.receipt').flatMap((content) =>
      Object.entries(content as Record<string, Record<string, Record<string, unknown>>>).flatMap(([eventId, types]) => Object.keys(types['m.read'] ?? {}).map((userId) => ({ eventId, userId })))),
  };
}
