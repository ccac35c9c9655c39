/** In which order to try the targets of SRV records (RFC 2782). Pure: chance is an argument. */

export interface SrvRecord {
  readonly target: string;
  readonly port: number;
  /** Lower ones first. */
  readonly priority: number;
  /** Share of the first tries among equals in priority. */
  readonly weight: number;
}

/** Targets tried for one name; more only help to keep us busy. */
export const SRV_RECORDS_MAX = 8;

/** The records in the order in which to try them. `random` gives numbers in [0, 1). */
export function orderSrvRecords(records: readonly SrvRecord[], random: () => number): SrvRecord[] {
  const ordered: SrvRecord[] = [];
  const priorities = [...new Set(records.map(({ priority }) => priority))].sort((a, b) => a - b);
  for (const priority of priorities) {
    // Records without weight come first in the running sum, so that they are picked only when the draw is 0.
    const waiting = records.filter((record) => record.priority === priority).sort((a, b) => a.weight - b.weight);
    while (waiting.length > 0) ordered.push(...waiting.splice(pickByWeight(waiting, random()), 1));
  }
  return ordered.slice(0, SRV_RECORDS_MAX);
}

function pickByWeight(records: readonly SrvRecord[], random: number): number {
  const total = records.reduce((sum, { weight }) => sum + weight, 0);
  const draw = Math.floor(random * (total + 1));
  let sum = 0;
  return records.findIndex(({ weight }) => (sum += weight) >= draw);
}
