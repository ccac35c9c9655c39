/** Asks Synapse's own code, in a process of its own, what it makes of a room. */
import { spawnSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';
import type { StateSet } from '../../pkg/matrix/state-res/conflicts.ts';
import type { RoomDag } from '../kit/room-dag.ts';
import { available, synapsePython } from '../kit/servers/synapse.ts';

/** A room and which states of it to resolve. */
export interface Case {
  readonly dag: RoomDag;
  readonly resolutions: readonly (readonly StateSet[])[];
}

export interface Answer {
  /** For each event of the room, in order of arrival: why the rules refuse it in the state before it; null when they allow it. */
  readonly refusals: readonly (string | null)[];
  /** For each resolution the resolved state. */
  readonly resolved: readonly Readonly<Record<string, string>>[];
}

const ORACLE = fileURLToPath(new URL('synapse-oracle.py', import.meta.url));
const ANSWER_BYTES_MAX = 2 ** 30;

/** Why Synapse cannot be asked, false when it can: to be a test's `skip`. */
export function synapseMissing(): string | false {
  return available() ?? false;
}

export function askSynapse(cases: readonly Case[]): Answer[] {
  const input = cases.map((asked) => `${JSON.stringify(question(asked))}\n`).join('');
  const { status, stdout, stderr } = spawnSync(synapsePython(), [ORACLE], { input, maxBuffer: ANSWER_BYTES_MAX, encoding: 'utf8' });
  if (status !== 0) throw new Error(`Synapse gave no answer: ${stderr}`);
  return stdout.trim().split('\n').map((line) => JSON.parse(line) as Answer);
}

function question({ dag, resolutions }: Case): object {
  const events = [...dag.events.values()];
  return {
    version: dag.version.id,
    room_id: dag.roomId,
    events: Object.fromEntries(events.map(({ eventId, pdu }) => [eventId, pdu])),
    checks: events.map(({ eventId, before }) => ({ event: eventId, state: [...before.values()] })),
    resolutions: resolutions.map((sets) => sets.map((set) => Object.fromEntries(set))),
  };
}
