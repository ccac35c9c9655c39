/**
 * Random rooms of every version, judged by this library and by Synapse's own code: every event allowed or refused alike, every meeting of states resolved alike. More rooms, or others:
 * MYELIN_DIFFERENTIAL_ROOMS (per version) and MYELIN_DIFFERENTIAL_SEED.
 *
 * Known deviations of Synapse from the spec, which the rooms here therefore do not have:
 * - with `m.federate` false it also refuses memberships whose target is of another server (rooms/v10, rule 3: only the sender counts);
 * - it never lets an event into the state that was rejected before (rooms/v2, "Rejected events": as usual);
 * - power levels with a state key are never compared with the room's, so that they are always allowed (rooms/v10, rule 9.4);
 * - up to version 9 it takes some strings for levels that the spec does not, such as "1_0" (rooms/v1, "accept values as strings").
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { KNOWN_ROOM_VERSIONS } from '../../pkg/matrix/room-versions/room-versions.ts';
import { randomRoom, stateSetsOf } from '../kit/random-room.ts';
import { askSynapse, synapseMissing } from './synapse.ts';
import type { Answer, Case } from './synapse.ts';

const ROOMS = Number(process.env['MYELIN_DIFFERENTIAL_ROOMS'] ?? 40);
const SEED = Number(process.env['MYELIN_DIFFERENTIAL_SEED'] ?? 1);
const STEPS_MAX = 60;

const skip = synapseMissing();

for (const { id } of KNOWN_ROOM_VERSIONS) {
  test(`v${id} ${ROOMS} rooms from seed ${SEED} are what Synapse says`, { skip }, () => {
    const cases = randomCases(id);
    const answers = askSynapse(cases);
    assert.equal(answers.length, cases.length);
    cases.forEach((asked, index) => {
      assert.deepEqual(differences(asked, answers[index] as Answer), [], `room ${index}`);
    });
    // Neither side is always of one opinion, and there was something to resolve.
    const refusals = answers.flatMap((answer) => answer.refusals);
    assert.ok(refusals.includes(null) && refusals.some((refusal) => refusal !== null));
    assert.ok(cases.some(({ resolutions }) => resolutions.some((sets) => sets.length > 1)));
  });
}

function randomCases(versionId: string): Case[] {
  const room = randomRoom(versionId, STEPS_MAX).chain((dag) => fc.array(stateSetsOf(dag), { minLength: 1, maxLength: 4 }).map((resolutions) => ({ dag, resolutions })));
  return fc.sample(room, { numRuns: ROOMS, seed: SEED });
}

/** What the two sides see differently, one line each. */
function differences({ dag, resolutions }: Case, { refusals, resolved }: Answer): string[] {
  const events = [...dag.events.values()].flatMap(({ eventId, pdu, verdict }, index) => {
    const theirs = refusals[index] ?? undefined;
    const ours = verdict.allowed ? undefined : verdict.reason;
    return (theirs === undefined) === (ours === undefined) ? [] : [`${pdu.type} ${eventId}: ${ours ?? 'allowed'}, Synapse: ${theirs ?? 'allowed'}`];
  });
  const states = resolutions.flatMap((sets, index) => {
    const ours = dag.resolve(sets);
    const theirs = new Map(Object.entries(resolved[index] ?? {}));
    const slots = [...new Set([...ours.keys(), ...theirs.keys()])].filter((slot) => ours.get(slot) !== theirs.get(slot));
    return slots.map((slot) => `resolution ${index} of ${JSON.stringify(slot)}: ${ours.get(slot)}, Synapse: ${theirs.get(slot)}`);
  });
  return [...events, ...states];
}
