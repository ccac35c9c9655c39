/** What other servers say of rooms that this one is not in, kept for a while in memory (spec: client-server, "Spaces", "Server behaviour"). Each process asks for itself. */
import { createRecent } from '../../../pkg/assert/recent.ts';
import { askHierarchy, type RemoteHierarchy } from '../../../pkg/federation/ask-hierarchy.ts';
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';

export interface RemoteRooms {
  /** What is known of the room from an answer that is not too old; `nothing`: nobody could tell a short while ago. undefined: it has to be asked for. */
  known(roomId: string, suggestedOnly: boolean): RemoteHierarchy | 'nothing' | undefined;
  /** Asks these servers, one after the other, until one tells. undefined: none did. */
  ask(wish: RemoteWish): Promise<RemoteHierarchy | undefined>;
}

export interface RemoteWish {
  readonly roomId: string;
  readonly suggestedOnly: boolean;
  readonly servers: readonly string[];
  /** For all of them together. */
  readonly deadlineMs: number;
  readonly signal: AbortSignal;
}

interface Kept {
  readonly answer: RemoteHierarchy | 'nothing';
  /** Monotonic ms. */
  readonly until: number;
}

const KEPT_MS = 5 * 60_000;
const NOTHING_KEPT_MS = 60_000;
/** Of what is kept, in rooms and children of them. */
const WEIGHT_MAX = 20_000;
const SERVERS_MAX = 3;

export function createRemoteRooms(deps: { readonly clock: Clock; readonly signedTransport: FederationTransport | undefined }): RemoteRooms {
  const { clock, signedTransport } = deps;
  const kept = createRecent<Kept>(WEIGHT_MAX, { weigh: ({ answer }) => (answer === 'nothing' ? 1 : 1 + answer.children.length + answer.rooms.size) });

  function known(roomId: string, suggestedOnly: boolean): RemoteHierarchy | 'nothing' | undefined {
    const name = nameOf(roomId, suggestedOnly);
    const entry = kept.get(name);
    if (entry === undefined || entry.until > clock.monotonic()) return entry?.answer;
    kept.delete(name);
    return undefined;
  }

  async function askAll(transport: FederationTransport, { servers, deadlineMs, ...question }: RemoteWish): Promise<RemoteHierarchy | undefined> {
    const endsAt = clock.monotonic() + deadlineMs;
    for (const destination of servers.slice(0, SERVERS_MAX)) {
      const left = endsAt - clock.monotonic();
      if (left <= 0 || question.signal.aborted) return undefined;
      try {
        return await askHierarchy(transport, { ...question, destination, deadlineMs: left });
      } catch (error) {
        if (!(error instanceof FederationError)) throw error;
      }
    }
    return undefined;
  }

  return {
    known,
    async ask(wish) {
      const answer = signedTransport && (await askAll(signedTransport, wish));
      // Who gave up waiting has not learnt that nobody knows.
      if (answer !== undefined || !wish.signal.aborted) kept.set(nameOf(wish.roomId, wish.suggestedOnly), { answer: answer ?? 'nothing', until: clock.monotonic() + (answer === undefined ? NOTHING_KEPT_MS : KEPT_MS) });
      return answer;
    },
  };
}

function nameOf(roomId: string, suggestedOnly: boolean): string {
  return `${suggestedOnly ? 1 : 0} ${roomId}`;
}
