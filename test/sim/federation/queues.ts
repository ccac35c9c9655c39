/** The law that nothing is left waiting for servers that answer: no parked input, no need, no event. What waits for a liar is bounded. */
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { SimServer } from '../server.ts';
import { LIAR_NAME } from './liar/liar.ts';

const LEFT_FOR_LIARS_MAX = 1000;

export async function leftWaiting(server: SimServer): Promise<string[]> {
  const { name, databases: { roomserver, userapi, federationapi }, world } = server;
  const broken: string[] = [];
  const parked = (await roomserver.query<{ record: Uint8Array }>('SELECT record FROM parked_inputs')).map(({ record }) => roomInputCodec.decode(record));
  const ofLiar = new Set(parked.filter((input) => input.receivePdu?.origin === LIAR_NAME).map(({ inputId }) => inputId));
  if (ofLiar.size > LEFT_FOR_LIARS_MAX) broken.push(`${name} keeps ${ofLiar.size} inputs that wait for a liar`);
  for (const { inputId } of parked) if (!ofLiar.has(inputId)) broken.push(`${name} has parked ${inputId} and forgotten it`);
  const needs = await roomserver.query<{ need_id: string; input_id: string }>('SELECT need_id, input_id FROM needs');
  for (const need of needs) if (!ofLiar.has(need.input_id)) broken.push(`the roomserver of ${name} still has the need ${need.need_id}`);
  const asked = await federationapi.query<{ need_id: string; destination: string }>('SELECT need_id, destination FROM needs');
  for (const need of asked) if (need.destination !== LIAR_NAME) broken.push(`the federationapi of ${name} still has the need ${need.need_id}`);
  const users = await userapi.query<{ n: number }>('SELECT count(*) AS n FROM parked_inputs');
  if (users[0]!.n > 0) broken.push(`the userapi of ${name} has ${users[0]!.n} parked inputs`);
  const honest = new Set(world.servers.map((one) => one.name));
  const queues = await federationapi.query<{ destination: string; n: number }>('SELECT destination, count(*) AS n FROM destination_queue GROUP BY destination');
  for (const { destination, n } of queues) if (honest.has(destination)) broken.push(`${name} has ${n} events left for ${destination}`);
  const units = await federationapi.query<{ destination: string; n: number }>('SELECT destination, count(*) AS n FROM unit_queue GROUP BY destination');
  for (const { destination, n } of units) if (honest.has(destination)) broken.push(`${name} has ${n} messages to devices left for ${destination}`);
  const rooms = await federationapi.query<{ destination: string; n: number }>('SELECT destination, count(*) AS n FROM destination_rooms GROUP BY destination');
  for (const { destination, n } of rooms) if (honest.has(destination)) broken.push(`${name} has ${n} rooms left with which ${destination} has to catch up`);
  return broken;
}
