/** Reads what the decision on a `FetchHistory` stands on. */
import type { Database } from '../../../pkg/storage/database.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import type { StagedState } from '../../../schemas/ports/staged-state.ts';
import { graphAt, type Picture } from '../input/picture.ts';
import { loadEarly } from '../receive/early-redactions.ts';
import { readNeeds } from '../remote/load-facts.ts';
import { ownNeed } from '../remote/needs.ts';
import { isStorable } from '../query/stored-event.ts';
import { readEvents } from '../storage/read-events.ts';
import { readPartial } from '../partial/partial-row.ts';
import { readFrontier, type Frontier } from './frontier.ts';

/** Joined members whose servers are looked at, and servers that are asked. */
const MEMBERS_MAX = 200;
const VIA_MAX = 5;

export async function loadHistory(loading: { database: Database; stagedState: StagedState; serverName: string }, picture: Picture, input: RoomInput): Promise<void> {
  const { database, stagedState } = loading;
  const { remote: facts, heads } = picture;
  const head = heads.get(input.roomId);
  if (head === undefined) return;
  await readNeeds(database, facts, ['input_id', input.inputId]);
  await readNeeds(database, facts, ['backfills', input.roomId]);
  const answer = ownNeed(facts, input)?.answer;
  const [frontier, lowest] = await Promise.all([
    readFrontier(database, input.roomId),
    database.query<{ lowest: number | null; depth: number | null }>(
      'SELECT MIN(order_key) AS lowest, (SELECT depth FROM purges WHERE room_id = ?) AS depth FROM events WHERE room_id = ?', [input.roomId, input.roomId]),
  ]);
  const fetched = answer?.status === 200 ? await stagedState.stateIds(answer.stageId) : undefined;
  if (fetched !== undefined) {
    const { graph } = graphAt(picture, head);
    const storable = fetched.filter(isStorable);
    for (const eventId of storable) if (!graph.events.has(eventId)) graph.wants.events.add(eventId);
    await loadEarly(database, new Map([[input.roomId, graph]]), storable);
  }
  const via = frontier === undefined ? [] : await serversFor(loading, input.roomId, { frontier, creator: head.creator });
  facts.histories.set(input.inputId, { frontier, via, lowestKey: lowest[0]?.lowest ?? 0, purgedDepth: lowest[0]?.depth ?? -1, fetched });
}

/** Who sent what follows the missing events has them, most likely; then the others in the room. */
async function serversFor({ database, serverName }: { database: Database; serverName: string }, roomId: string, { frontier, creator }: { frontier: Frontier; creator: string }): Promise<string[]> {
  const followers = await readEvents(database, frontier.followers);
  const members = await database.query<{ state_key: string }>(
    "SELECT state_key FROM current_state WHERE room_id = ? AND type = 'm.room.member' AND membership = 'join' ORDER BY state_key LIMIT ?", [roomId, MEMBERS_MAX]);
  const told = (await readPartial(database, roomId))?.servers ?? [];
  const joined = new Set([...members.map((row) => domainOf(row.state_key)), ...told]);
  const likely = [...followers.map(({ sender }) => domainOf(sender)), domainOf(creator)].filter((server) => joined.has(server));
  return [...new Set([...likely, ...joined])].filter((server) => server !== serverName).slice(0, VIA_MAX);
}
