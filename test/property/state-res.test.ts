/** Laws of state resolution that hold for all rooms, however forked. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { requiredPower, roomPower, userPower } from '../../pkg/matrix/auth/power-levels.ts';
import { authEventIds } from '../../pkg/matrix/events/pdu.ts';
import { ROOM_VERSIONS } from '../../pkg/matrix/room-versions/room-versions.ts';
import { authDifference } from '../../pkg/matrix/state-res/auth-chains.ts';
import { conflictedSlots } from '../../pkg/matrix/state-res/conflicts.ts';
import type { StateSet } from '../../pkg/matrix/state-res/conflicts.ts';
import { POWER_LEVELS_SLOT, slotOf } from '../../pkg/matrix/state-res/slot.ts';
import { oddRoom, randomRoom, stateSetsOf } from '../kit/random-room.ts';
import type { RoomDag } from '../kit/room-dag.ts';

const RUNS = { numRuns: 60 };

interface Meeting {
  readonly dag: RoomDag;
  readonly sets: readonly StateSet[];
}

const meeting = (versionId: string): fc.Arbitrary<Meeting> => randomRoom(versionId).chain((dag) => stateSetsOf(dag).map((sets) => ({ dag, sets })));

/** The same in whatever order the slots are. */
const sorted = (state: StateSet): [string, string][] => [...state].sort(([left], [right]) => (left < right ? -1 : 1));

/** The sets in another order, some twice, and the slots of each in another order. */
function disorders(sets: readonly StateSet[]): fc.Arbitrary<StateSet[]> {
  const all = [...sets, ...sets.slice(0, 2)];
  const shuffled = <T>(items: readonly T[]): fc.Arbitrary<T[]> => fc.shuffledSubarray([...items], { minLength: items.length, maxLength: items.length });
  return shuffled(all).chain((turned) => fc.tuple(...turned.map((set) => shuffled([...set]).map((entries) => new Map(entries)))));
}

for (const { id: versionId } of ROOM_VERSIONS) {
  test(`v${versionId} the order of the sets, of their slots and their repetition mean nothing`, () => {
    const oddMeeting = oddRoom(versionId, 40).chain((dag) => stateSetsOf(dag).map((sets) => ({ dag, sets })));
    const inDisorder = fc.oneof(meeting(versionId), oddMeeting).chain(({ dag, sets }) => disorders(sets).map((shuffled) => ({ dag, sets, shuffled })));
    fc.assert(fc.property(inDisorder, ({ dag, sets, shuffled }) => {
      assert.deepEqual(sorted(dag.resolve(shuffled)), sorted(dag.resolve(sets)));
    }), RUNS);
  });
}

// One version of each algorithm, and the newest with the second.
for (const versionId of ['1', '2', '11', '12']) {
  test(`v${versionId} what all sets agree on stays, and every event stands in its own slot`, () => {
    fc.assert(fc.property(meeting(versionId), ({ dag, sets }) => {
      const resolved = dag.resolve(sets);
      const { conflicted, unconflicted } = conflictedSlots(sets);
      for (const slot of sets[0]?.keys() ?? []) if (!conflicted.has(slot)) assert.equal(resolved.get(slot), unconflicted(slot));
      for (const [slot, eventId] of resolved) {
        const { type, state_key: stateKey } = dag.pdu(eventId)!;
        assert.equal(slotOf(type, stateKey!), slot);
      }
    }), RUNS);
  });

  test(`v${versionId} a resolution resolves to itself`, () => {
    fc.assert(fc.property(meeting(versionId), ({ dag, sets }) => {
      const resolved = dag.resolve(sets);
      assert.deepEqual(sorted(dag.resolve([resolved, new Map(resolved)])), sorted(resolved));
    }), RUNS);
  });

  // Version 1 of the algorithm lets an event stand that the rules refuse when they refuse all others too.
  if (versionId !== '1') test(`v${versionId} what was at issue and is not about power stands only if its sender has the power by the resolved state`, () => {
    fc.assert(fc.property(meeting(versionId), ({ dag, sets }) => {
      const resolved = dag.resolve(sets);
      const conflicts = conflictedSlots(sets);
      const { conflicted } = conflicts;
      if (!resolved.has(POWER_LEVELS_SLOT)) return;
      if (!conflicted.has(POWER_LEVELS_SLOT)) {
        // What all sets agree on stands in the end, but others may have decided before: version 2.1 begins without any, version 2 takes in those of the auth chains' difference.
        if (versionId === '12') return;
        const difference = authDifference({ stateSets: sets, conflicts, authEventsOf: (eventId) => authEventIds(dag.pdu(eventId)!) });
        if ([...difference].some((eventId) => dag.pdu(eventId)?.type === 'm.room.power_levels')) return;
      }
      const power = roomPower((type, stateKey) => dag.pdu(resolved.get(slotOf(type, stateKey)) ?? ''), dag.version);
      for (const slot of conflicted.keys()) {
        const event = dag.pdu(resolved.get(slot) ?? '');
        if (event?.type !== 'm.room.topic' && event?.type !== 'org.example.own') continue;
        assert.ok(userPower(power, event.sender) >= requiredPower(power, event.type, true), `${event.type} of ${event.sender}`);
      }
    }), RUNS);
  });
}
