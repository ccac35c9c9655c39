/** Asks a server again for events that it once sent (spec: server-server, "Retrieving events", GET /event). */
import { FederationError, type FederationTransport } from '../../../pkg/federation/transport.ts';

/** Parsed JSON of those that the server gave; never rejects with `FederationError`. */
export type FetchEvents = (origin: string, eventIds: readonly string[]) => Promise<unknown[]>;

const LIMIT_MS = 15_000;

export function createFetchEvents({ transport, isDenied }: { transport: FederationTransport; isDenied: (serverName: string) => boolean }): FetchEvents {
  /** undefined: not this one; an error that is not this event's: none of the others either. */
  async function one(origin: string, eventId: string): Promise<unknown> {
    const { body } = await transport.request({ destination: origin, method: 'GET', path: `/_matrix/federation/v1/event/${encodeURIComponent(eventId)}`, deadlineMs: LIMIT_MS });
    return Array.isArray(body['pdus']) ? body['pdus'][0] : undefined;
  }

  return async (origin, eventIds) => {
    const values: unknown[] = [];
    if (isDenied(origin)) return values;
    for (const eventId of eventIds) {
      try {
        const value = await one(origin, eventId);
        if (value !== undefined) values.push(value);
      } catch (error) {
        if (!(error instanceof FederationError)) throw error;
        // It says no to this one; what it does not answer, it would not answer for the others either.
        if (error.kind !== 'http' || (error.status ?? 500) >= 500) return values;
      }
    }
    return values;
  };
}
