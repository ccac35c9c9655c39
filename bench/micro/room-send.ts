/**
 * What a message costs the roomserver, without HTTP and log: load, decide, and commit with the outbox to a SQLite file (WAL, synchronous=FULL).
 * Run: node bench/micro/room-send.ts [rooms]
 */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { RoomEffects } from '../../components/roomserver/input/effects.ts';
import { logMigrations } from '../../pkg/log/tables.ts';
import { writeOutbox } from '../../pkg/log/outbox.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { InputPlace } from '../../pkg/log/processor.ts';
import { ALICE, createRoomDriver, message, newRoom, START_MS } from '../../test/kit/room-driver.ts';

const roomCount = Number(process.argv[2] ?? 1);
const folder = mkdtempSync(join(tmpdir(), 'myelin-bench-'));
const database = await openSqlite({ path: join(folder, 'rooms.db') });
await migrate(database, 'log', logMigrations, START_MS);
const driver = await createRoomDriver({ database });
const rooms = Array.from({ length: roomCount }, (_, index) => newRoom({ name: `bench${index}` }));
await driver.batch(rooms.map((room) => room.input));
const { processor } = driver;
let sequence = 1_000_000;

for (const [batchSize, total] of [[64, 6400], [1, 1000], [64, 32_000], [1, 4000]] as const) {
  const inputs = Array.from({ length: total }, (_, index) => message(rooms[index % roomCount]!.roomId, ALICE, `message number ${index} ${'x'.repeat(100)}`));
  let decideMs = 0;
  const cpu = process.cpuUsage();
  const start = performance.now();
  for (let at = 0; at < total; at += batchSize) {
    const batch = inputs.slice(at, at + batchSize);
    await processor.load(batch.map((input) => ({ input, partition: 0 })));
    const accepted: { place: InputPlace; effects: RoomEffects }[] = [];
    const outputs: Parameters<typeof writeOutbox>[2][number][] = [];
    const decideStart = performance.now();
    for (const input of batch) {
      sequence += 1;
      const place = { partition: 0, epoch: 1, nextSequence: sequence, nowMs: START_MS };
      const decision = processor.decide(input, place);
      if (decision.kind !== 'accepted') throw new Error(JSON.stringify(decision));
      accepted.push({ place, effects: decision.effects });
      outputs.push({ partition: 0, envelope: { sequence, epoch: 1, record: decision.outputs[0]! } });
    }
    decideMs += performance.now() - decideStart;
    await database.transaction(async (tx) => {
      await writeOutbox(tx, 'room-output', outputs);
      await processor.commit(tx, accepted);
    });
  }
  const seconds = (performance.now() - start) / 1000;
  const { user, system } = process.cpuUsage(cpu);
  console.log(JSON.stringify({
    rooms: roomCount, batch: batchSize, events: total, perSecond: Math.round(total / seconds), decideUs: +(decideMs * 1000 / total).toFixed(1),
    wallUs: +(seconds * 1e6 / total).toFixed(1), cpuUs: +((user + system) / total).toFixed(1),
  }));
}
await driver.close();
rmSync(folder, { recursive: true });
