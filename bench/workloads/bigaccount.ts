/** `bigaccount`: an account in 2,000 rooms: its first /sync, and the next ones, with nothing new and with a message in one of the rooms. */
import { performance } from 'node:perf_hooks';
import { register, V3, type ApiSession } from '../../test/e2e/api-client.ts';
import { Connection } from '../http-client.ts';
import { median, quantile } from '../statistics.ts';
import { costOf, type RunningSubject, type Subject } from '../subject.ts';
import type { Figures, Row } from '../workload.ts';

const CONNECTIONS = 8;
const INCREMENTAL = 100;
const NAME_LENGTH = 12;

export async function bigAccountWorkload(subject: Subject, options: { runs: number; rooms: number }): Promise<Row[]> {
  const running = await subject.start();
  try {
    const account = await register(running.baseUrl);
    const rooms = await enterRooms(running, account, options.rooms);
    const connection = await Connection.open(running.baseUrl);
    const first: Figures[] = [];
    const nothing: Figures[] = [];
    const message: Figures[] = [];
    for (let run = 0; run < options.runs; run += 1) {
      const { figures, since } = await firstSync(running, connection, { token: account.token, rooms: rooms.length, run });
      first.push(figures);
      nothing.push(await nextSyncs(running, connection, { token: account.token, since, roomIds: [], run }));
      message.push(await nextSyncs(running, connection, { token: account.token, since, roomIds: rooms, run }));
    }
    connection.close();
    const mode = subject.name;
    return [{ mode, what: `first /sync, ${rooms.length} rooms`, runs: first }, { mode, what: 'next /sync, nothing new', runs: nothing }, { mode, what: 'next /sync, a message', runs: message }];
  } finally {
    await running.stop();
  }
}

/** Rooms with a name and a message each. Resolves with their IDs. */
async function enterRooms({ baseUrl }: RunningSubject, { token }: ApiSession, count: number): Promise<string[]> {
  const rooms: string[] = [];
  let next = 0;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    const connection = await Connection.open(baseUrl);
    while (next < count) {
      const number = (next += 1);
      const created = await connection.request('POST', `${V3}/createRoom`, { token, body: JSON.stringify({ preset: 'public_chat', name: `room ${String(number).padStart(NAME_LENGTH, '0')}` }) });
      const { room_id: roomId } = answerOf<{ room_id: string }>(created);
      await say(connection, token, roomId, `first${number}`);
      rooms.push(roomId);
    }
    connection.close();
  }));
  return rooms;
}

/** Each run has a filter of its own: no server may answer from memory what it answered before. */
async function firstSync(running: RunningSubject, connection: Connection, { token, rooms, run }: { token: string; rooms: number; run: number }): Promise<{ figures: Figures; since: string }> {
  const filter = JSON.stringify({ room: { timeline: { limit: 10 + run } }, presence: { types: [] } });
  let [ms, kb, since] = [0, 0, ''];
  const cost = await costOf(running, async () => {
    const began = performance.now();
    const answer = await connection.request('GET', `${V3}/sync?${new URLSearchParams({ timeout: '0', filter })}`, { token });
    ms = performance.now() - began;
    const body = answerOf<{ next_batch: string; rooms: { join: object } }>(answer);
    const found = Object.keys(body.rooms.join).length;
    if (found !== rooms) throw new Error(`${found} rooms are in the first /sync, and ${rooms} should be`);
    [kb, since] = [Buffer.byteLength(answer.body) / 1000, body.next_batch];
    return { events: 1 };
  });
  return { figures: { answerMs: ms, answerKb: kb, cpuMs: cost.cpuMsPerEvent, withDatabaseCpuMs: cost.withDatabaseCpuMsPerEvent, peakMb: cost.peakMb }, since };
}

/** One after the other, each with the token of the one before; before each a message in one of the rooms, if there are any. */
async function nextSyncs(running: RunningSubject, connection: Connection, options: { token: string; since: string; roomIds: readonly string[]; run: number }): Promise<Figures> {
  const { token, roomIds, run } = options;
  const sending = await Connection.open(running.baseUrl);
  const latencies: number[] = [];
  let since = options.since;
  for (let number = 0; number < INCREMENTAL; number += 1) {
    const roomId = roomIds[(number * 37) % Math.max(1, roomIds.length)];
    if (roomId !== undefined) await say(sending, token, roomId, `next${run}-${number}`);
    const began = performance.now();
    const answer = await connection.request('GET', `${V3}/sync?${new URLSearchParams({ timeout: '0', since })}`, { token });
    latencies.push(performance.now() - began);
    const body = answerOf<{ next_batch: string; rooms?: { join?: Record<string, unknown> } }>(answer);
    // Some servers tell of a message a moment after they have taken it.
    if (roomId !== undefined && running.peer.software === 'Myelin' && body.rooms?.join?.[roomId] === undefined) throw new Error(`the message in ${roomId} is not in the /sync after it`);
    since = body.next_batch;
  }
  sending.close();
  return { p50Ms: median(latencies), p99Ms: quantile(latencies, 0.99) };
}

async function say(connection: Connection, token: string, roomId: string, txnId: string): Promise<void> {
  answerOf(await connection.request('PUT', `${V3}/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txnId}`, { token, body: JSON.stringify({ msgtype: 'm.text', body: txnId }) }));
}

function answerOf<Body>({ status, body }: { status: number; body: string }): Body {
  if (status !== 200) throw new Error(`the server answered ${status}: ${body.slice(0, 300)}`);
  return JSON.parse(body) as Body;
}
