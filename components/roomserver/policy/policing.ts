/**
 * Which server a room has look at its events (spec: server-server, "Determining if a Policy Server is enabled in a room"): the one that the current state names, while a user of it is joined.
 * What was found stands with the head. For a room without `m.room.policy` this costs one look into memory.
 */
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { isPolicyExempt, policyServerIn, POLICY_TYPE, type PolicyServer } from '../../../pkg/matrix/policy/policy-server.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import type { StateStep } from '../input/effects.ts';
import { loadState } from '../input/load-state.ts';
import { knowsState, membershipOf, stateKeyOf, type RoomHead } from '../input/room-head.ts';
import { isSeenIn } from '../remote/facts.ts';
import { readSomeJoined } from '../storage/read-events.ts';

export const POLICY_STATE = [POLICY_TYPE, ''] as const;
const POLICY_SLOT = stateKeyOf(...POLICY_STATE);
/** Of the policy server, that are looked at. */
const MEMBERS_MAX = 20;

/** The room's policy server; undefined: it has none; `lacking`: to be read (`loadPolicing`). */
export function policyServerOf(head: RoomHead): PolicyServer | 'lacking' | undefined {
  const entry = head.state.get(POLICY_SLOT);
  if (entry === undefined) return head.complete ? undefined : 'lacking';
  if (entry === null || policyServerIn(entry.pdu.content) === undefined) return undefined;
  return head.policing?.entry === entry ? head.policing.server : 'lacking';
}

/** The policy server that has to sign the event; undefined: none. */
export function policyFor(head: RoomHead, pdu: Pick<Pdu, 'type' | 'state_key'>): PolicyServer | 'lacking' | undefined {
  return isPolicyExempt(pdu) ? undefined : policyServerOf(head);
}

/** The state of the room changes: who of the policy server is in it is looked for again. */
export function notePolicing(head: RoomHead, steps: readonly StateStep[]): void {
  const server = head.policing && policyServerIn(head.policing.entry.pdu.content);
  if (server === undefined) return;
  if (steps.some(({ type, stateKey }) => type === 'm.room.member' && domainOf(stateKey) === server.serverName)) head.policing = undefined;
}

/** Finds out what `policyServerOf` found lacking; does nothing for rooms of which all is known. */
export async function loadPolicing(database: Database, head: RoomHead): Promise<void> {
  if (policyServerOf(head) !== 'lacking') return;
  await loadState(database, [{ head, type: POLICY_TYPE, stateKey: '' }]);
  const entry = head.state.get(POLICY_SLOT);
  const server = policyServerIn(entry?.pdu.content);
  if (!entry || server === undefined) return;
  head.policing = { entry, server: await isJoined(database, head, server.serverName) ? server : undefined };
}

/** What is in memory is newer than the tables. */
async function isJoined(database: Database, head: RoomHead, serverName: string): Promise<boolean> {
  if (isSeenIn(head, serverName)) return true;
  if (head.complete || !isStorable(serverName)) return false;
  const joined = await readSomeJoined(database, head.roomId, `:${serverName}`, MEMBERS_MAX);
  return joined.some((userId) => !knowsState(head, 'm.room.member', userId) || membershipOf(head, userId) === 'join');
}

/** What events say may be what no row has. */
function isStorable(text: string): boolean {
  return !text.includes('\0') && text.isWellFormed();
}
