import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import { FetchSession, type FetchPlace, type SessionPart } from './fetch-session.ts';

/** What a broker makes of requests: it knows of a session what the requests since its beginning have named. */
class ModelBroker {
  #lastId = 0;
  #session: { id: number; epoch: number; known: Map<string, number> } | undefined;

  /** undefined: an error, and nothing is read. */
  read({ sessionId, sessionEpoch, changed, forgotten }: SessionPart): { sessionId: number; known: ReadonlyMap<string, number> } | undefined {
    if (sessionEpoch === 0) this.#session = { id: (this.#lastId += 1), epoch: 0, known: new Map() };
    const session = this.#session;
    if (session === undefined || (sessionEpoch !== 0 && session.id !== sessionId) || session.epoch !== sessionEpoch) return undefined;
    for (const { topic, partition } of forgotten) assert.ok(session.known.delete(`${topic}/${partition}`), 'what is forgotten was known');
    for (const { topic, partition, next } of changed) session.known.set(`${topic}/${partition}`, next);
    session.epoch += 1;
    return { sessionId: session.id, known: session.known };
  }

  forget(): void {
    this.#session = undefined;
  }
}

const place = fc.record({ topic: fc.constantFrom('a', 'b'), partition: fc.nat(3), next: fc.nat(3) });
const places = fc.uniqueArray(place, { selector: ({ topic, partition }) => `${topic}/${partition}`, minLength: 1, maxLength: 8 });
const step = fc.record({ places, then: fc.constantFrom('answered', 'answered', 'answered', 'lost before', 'lost after', 'forgotten') });

const keyed = (list: readonly FetchPlace[]): [string, number][] => list.map(({ topic, partition, next }): [string, number] => [`${topic}/${partition}`, next]).toSorted();

test('a broker reads what each request is for, whatever was lost or forgotten before', () => {
  fc.assert(fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
    const [session, broker] = [new FetchSession(), new ModelBroker()];
    for (const { places: wanted, then } of steps) {
      if (then === 'forgotten') broker.forget();
      const request = session.next(wanted);
      const read = then === 'lost before' ? undefined : broker.read(request);
      if (read === undefined || then === 'lost after') {
        session.failed();
        continue;
      }
      assert.deepEqual([...read.known].toSorted(), keyed(wanted));
      session.answered(read.sessionId);
    }
  }));
});

test('a request names only what has changed since the one before, and everything after a failure', () => {
  const session = new FetchSession();
  const at = (partition: number, next: number): FetchPlace => ({ topic: 'a', partition, next });
  assert.deepEqual(session.next([at(0, 5), at(1, 7)]), { sessionId: 0, sessionEpoch: 0, changed: [at(0, 5), at(1, 7)], forgotten: [] });
  session.answered(9);
  assert.deepEqual(session.next([at(0, 6), at(1, 7)]), { sessionId: 9, sessionEpoch: 1, changed: [at(0, 6)], forgotten: [] });
  session.answered(9);
  assert.deepEqual(session.next([at(1, 7), at(2, 0)]), { sessionId: 9, sessionEpoch: 2, changed: [at(2, 0)], forgotten: [at(0, 6)] });
  session.failed();
  assert.deepEqual(session.next([at(1, 7)]), { sessionId: 9, sessionEpoch: 0, changed: [at(1, 7)], forgotten: [] });
});

test('a broker that remembers nothing is told everything each time', () => {
  const session = new FetchSession();
  const wanted = [{ topic: 'a', partition: 0, next: 5 }];
  for (let request = 0; request < 2; request += 1) {
    assert.deepEqual(session.next(wanted), { sessionId: 0, sessionEpoch: 0, changed: wanted, forgotten: [] });
    session.answered(0);
  }
});
