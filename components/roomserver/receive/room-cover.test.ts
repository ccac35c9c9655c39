/** Events of a batch get places among auth chains without a read, where that is possible. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { slotOf } from '../../../pkg/matrix/state-res/slot.ts';
import { coverNew, createCover, notePosition, type RoomCover } from './room-cover.ts';

const CREATE_ID = '$create';

function topicAfter(...authEvents: string[]): { eventId: string; pdu: Pdu } {
  return { eventId: '$new', pdu: { type: 'm.room.topic', state_key: '', auth_events: authEvents } as unknown as Pdu };
}

function coverOf(): RoomCover {
  const cover = createCover();
  cover.begun = true;
  notePosition(cover, CREATE_ID, { chain: 1, seq: 1 });
  notePosition(cover, '$levels', { chain: 2, seq: 3 });
  notePosition(cover, '$member', { chain: 3, seq: 1 });
  cover.links.set(2, []);
  return cover;
}

test('a new event is a chain of its own, which leads to what it cites, and to no create event', () => {
  const cover = coverOf();
  coverNew(cover, topicAfter(CREATE_ID, '$levels'), CREATE_ID);
  const position = cover.positions.get('$new')!;
  assert.deepEqual(position, { chain: -1, seq: 1 });
  assert.deepEqual(cover.links.get(position.chain), [{ seq: 1, target: { chain: 2, seq: 3 } }]);
  assert.deepEqual(cover.facts.get(position.chain), { slot: slotOf('m.room.topic', ''), currentId: undefined });
});

test('it is left to be read where what it cites is not known, or not what that leads to, or events without a place are not', () => {
  for (const cited of ['$unknown', '$member']) {
    const cover = coverOf();
    coverNew(cover, topicAfter(CREATE_ID, '$levels', cited), CREATE_ID);
    assert.equal(cover.positions.has('$new'), false, cited);
  }
  const cover = coverOf();
  cover.begun = false;
  coverNew(cover, topicAfter('$levels'), CREATE_ID);
  assert.equal(cover.positions.has('$new'), false);
});
