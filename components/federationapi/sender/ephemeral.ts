/**
 * Ephemeral units for other servers: who types, what was read, who is there. They are never stored. What cannot be sent soon is dropped: the destination fails, or takes more slowly than
 * they are made, or this process ends.
 */
import { isJsonObject } from '../../../pkg/http/json.ts';

export interface EphemeralUnit {
  readonly destination: string;
  /** A later unit of the same key replaces one that waits. */
  readonly key: string;
  /** Wire object (server-server: EDU). */
  readonly edu: { readonly edu_type: string; readonly content: Readonly<Record<string, unknown>> };
}

export type Edu = EphemeralUnit['edu'];

/** As many as the spec allows in a transaction. */
export const TRANSACTION_EDUS_MAX = 100;
/** Destinations for which something waits that are not being sent to yet. */
const WAITING_MAX = 10_000;

/** By key. */
export type WaitingUnits = Map<string, Edu>;

/** The newest stay. */
export function addUnit(waiting: WaitingUnits, { key, edu }: EphemeralUnit): void {
  waiting.delete(key);
  waiting.set(key, edu);
  if (waiting.size <= TRANSACTION_EDUS_MAX) return;
  for (const oldest of waiting.keys()) {
    waiting.delete(oldest);
    return;
  }
}

/** Takes all that waits; what is told of the presence of several users becomes one unit. */
export function takeUnits(waiting: WaitingUnits): Edu[] {
  const units = [...waiting.values()];
  waiting.clear();
  const push = units.flatMap(({ edu_type: type, content }) => (type === 'm.presence' && Array.isArray(content['push']) ? (content['push'] as unknown[]) : []));
  const others = units.filter(({ edu_type: type }) => type !== 'm.presence');
  return push.length === 0 ? others : [...others, { edu_type: 'm.presence', content: { push } }];
}

/** Units of destinations that are not being sent to yet. */
export interface UnitsAhead {
  add(unit: EphemeralUnit): void;
  names(): string[];
  take(destination: string): WaitingUnits;
}

export function createUnitsAhead(): UnitsAhead {
  const waiting = new Map<string, WaitingUnits>();
  return {
    add(unit) {
      const known = waiting.get(unit.destination);
      if (known === undefined && waiting.size >= WAITING_MAX) return;
      const units = known ?? new Map<string, Edu>();
      waiting.set(unit.destination, units);
      addUnit(units, unit);
    },
    names: () => [...waiting.keys()],
    take(destination) {
      const units = waiting.get(destination) ?? new Map<string, Edu>();
      waiting.delete(destination);
      return units;
    },
  };
}

/** What another instance has sent; anything else is passed over. */
export function readUnits(value: unknown): EphemeralUnit[] {
  if (!Array.isArray(value)) return [];
  return value.filter((one): one is EphemeralUnit => isJsonObject(one) && typeof one['destination'] === 'string' && typeof one['key'] === 'string' && isJsonObject(one['edu']));
}
