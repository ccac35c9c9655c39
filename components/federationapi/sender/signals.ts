/** What instances tell each other about destinations. Hints: who misses them finds what is queued in the tables. */
import { readUnits, type EphemeralUnit } from './ephemeral.ts';

export const DESTINATIONS_CHANNEL = 'destinations';

export interface DestinationsSignal {
  /** Something was queued for these; too many to name: an empty list. */
  readonly queued?: readonly string[];
  /** A server has asked this one something: it lives. */
  readonly contacted?: string;
  /** The operator wants this one tried now. */
  readonly reset?: string;
  /** To be sent by those who have the destinations. */
  readonly units?: readonly EphemeralUnit[];
}

const NAMES_MAX = 200;

export function encodeSignal({ queued, contacted, reset, units }: DestinationsSignal): Uint8Array {
  return Buffer.from(JSON.stringify({ queued: queued !== undefined && queued.length > NAMES_MAX ? [] : queued, contacted, reset, units }));
}

/** Nothing for what nobody here has sent. */
export function decodeSignal(value: Uint8Array): DestinationsSignal {
  try {
    const { queued, contacted, reset, units } = JSON.parse(Buffer.from(value).toString()) as Record<string, unknown>;
    return {
      ...(Array.isArray(queued) && { queued: queued.filter((name) => typeof name === 'string') }),
      ...(typeof contacted === 'string' && { contacted }),
      ...(typeof reset === 'string' && { reset }),
      ...(units !== undefined && { units: readUnits(units) }),
    };
  } catch {
    return {};
  }
}

const UNITS_OF_SIGNAL_MAX = 100;

/** Signals of units, each of a size that a broker takes. */
export function encodeUnits(units: readonly EphemeralUnit[]): Uint8Array[] {
  const signals: Uint8Array[] = [];
  for (let at = 0; at < units.length; at += UNITS_OF_SIGNAL_MAX) signals.push(encodeSignal({ units: units.slice(at, at + UNITS_OF_SIGNAL_MAX) }));
  return signals;
}
