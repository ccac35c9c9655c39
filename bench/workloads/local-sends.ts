/** Messages of about 700 bytes by one connection a room, each sent when the one before was answered: what users of a server notice of what else it does. */
import { randomBytes } from 'node:crypto';
import { performance } from 'node:perf_hooks';
import { Connection } from '../http-client.ts';
import { quantile, rounded } from '../statistics.ts';

export interface Place {
  readonly token: string;
  readonly roomId: string;
}

export interface Latency {
  readonly sends: number;
  readonly p50Ms: number;
  readonly p99Ms: number;
  readonly maxMs: number;
}

const FILLER = 'x'.repeat(600);

/** Sends into all places at once, each until `goesOn` is false when it is asked with the number of messages sent so far. */
export async function sendWhile(baseUrl: string, places: readonly Place[], goesOn: (sent: number) => boolean): Promise<Latency> {
  const latencies: number[] = [];
  const run = randomBytes(4).toString('hex');
  await Promise.all(places.map(async ({ token, roomId }, index) => {
    const connection = await Connection.open(baseUrl);
    for (let number = 0; goesOn(latencies.length); number += 1) {
      const txnId = `${run}-${index}-${number}`;
      const began = performance.now();
      const { status, body } = await connection.request('PUT', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${txnId}`,
        { token, body: JSON.stringify({ msgtype: 'm.text', body: txnId, filler: FILLER }) });
      if (status !== 200) throw new Error(`a send was answered with ${status}: ${body.slice(0, 300)}`);
      latencies.push(performance.now() - began);
    }
    connection.close();
  }));
  return { sends: latencies.length, p50Ms: rounded(quantile(latencies, 0.5)), p99Ms: rounded(quantile(latencies, 0.99)), maxMs: rounded(quantile(latencies, 1)) };
}
