/** Vectors whose expected values were computed outside this project, with the specification's Python: canonical JSON in hard cases, content hashes and event IDs per room version. */
import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import { canonicalJson } from '../../pkg/matrix/canonical-json/canonical-json.ts';
import { eventIdOf } from '../../pkg/matrix/events/event-id.ts';
import { contentHash, contentHashMatches } from '../../pkg/matrix/events/hashes.ts';
import type { Pdu } from '../../pkg/matrix/events/pdu.ts';
import { redact } from '../../pkg/matrix/events/redact.ts';
import { roomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';

interface Vectors {
  canonicalJson: { value: unknown; canonical: string }[];
  events: { version: string; event: Pdu; contentHash: string; eventId: string }[];
}

const vectors = JSON.parse(readFileSync(new URL('matrix-computed.json', import.meta.url), 'utf8')) as Vectors;

vectors.canonicalJson.forEach(({ value, canonical }, index) => {
  test(`canonical JSON, hard case ${index + 1}`, () => {
    assert.equal(canonicalJson(value), canonical);
  });
});

for (const { version: versionId, event, contentHash: expectedHash, eventId } of vectors.events) {
  test(`v${versionId} hash and ID of ${event.type}`, () => {
    const version = roomVersion(versionId) as RoomVersion;
    assert.equal(contentHash(event, version), expectedHash);
    assert.equal(eventIdOf(event, version), eventId);
    assert.equal(eventIdOf(redact(event, version), version), eventId, 'redaction does not change the ID');
    assert.ok(contentHashMatches(event, version));
    assert.ok(!contentHashMatches({ ...event, depth: event.depth + 1 }, version));
  });
}
