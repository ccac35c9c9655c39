/**
 * PURE. A signed history of one room, from a seed: what the replay is fed with. Every event is one that the rules allow in the state before it; branches are short, and what they change is
 * not changed beside them, so that the history's maker needs no state resolution of its own.
 */
import { buildEvent } from '../../pkg/matrix/events/build-event.ts';
import type { EventDraft } from '../../pkg/matrix/events/pdu.ts';
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import type { RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed, type SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import { slotOf, type Slot } from '../../pkg/matrix/state-res/slot.ts';
import { Seeded } from '../../test/sim/seeded.ts';

/** Shares of 100 events; what is left are messages. */
interface Mix {
  readonly membership: number;
  readonly state: number;
  /** Events with which a branch begins. */
  readonly forks: number;
  readonly forkWidth: number;
  readonly members: number;
  readonly servers: number;
}

const MIXED: Mix = { membership: 20, state: 5, forks: 3, forkWidth: 2, members: 1500, servers: 60 };

export const SHAPES = {
  mixed: MIXED,
  linear: { ...MIXED, forks: 0 },
  forky: { ...MIXED, forks: 30, forkWidth: 8 },
  'state-heavy': { ...MIXED, membership: 40, state: 40 },
  /** Begins with all its members joining. */
  mega: { ...MIXED, members: 50_000 },
} as const satisfies Record<string, Mix>;

export type Shape = keyof typeof SHAPES;

export interface History {
  readonly roomId: string;
  readonly version: RoomVersion;
  /** Public keys by server; the ID of each is `ed25519:1`. */
  readonly keys: ReadonlyMap<string, Uint8Array>;
  /** Canonical JSON of each event, in an order in which each comes after what it follows. */
  readonly lines: readonly string[];
  readonly eventIds: readonly string[];
}

export interface MakeHistory {
  readonly version: RoomVersion;
  readonly events: number;
  readonly shape: Shape;
  readonly seed: number;
}

/** A branch while it grows: where it stands, and what it has changed of the state that all share. */
interface Branch {
  tip: string;
  depth: number;
  readonly changes: Map<Slot, string>;
}

/** Of the servers, as far as they were asked for: to make them costs more than the events of a small room. */
const KEYS: SigningKey[] = [];
const FIRST_TS = 1_700_000_000_000;
const WORDS = 'the log is the truth and what a reader knows of it is only how far it has come'.split(' ');

export function makeHistory({ version, events, shape, seed }: MakeHistory): History {
  const maker = new Maker(version, SHAPES[shape], seed);
  maker.begin();
  if (shape === 'mega') maker.joinAll();
  const before = maker.lines.length;
  while (maker.lines.length - (shape === 'mega' ? before : 0) < events) maker.step();
  return { roomId: maker.roomId, version, keys: maker.publicKeys(), lines: maker.lines, eventIds: maker.eventIds };
}

class Maker {
  readonly lines: string[] = [];
  readonly eventIds: string[] = [];
  roomId = '';
  readonly #version: RoomVersion;
  readonly #mix: Mix;
  readonly #seed: number;
  readonly #random: Seeded;
  readonly #keys: SigningKey[];
  readonly #state = new Map<Slot, string>();
  /** Users in the room, and their places in that list. */
  readonly #joined: string[] = [];
  readonly #places = new Map<string, number>();
  #branches: Branch[] = [];

  constructor(version: RoomVersion, mix: Mix, seed: number) {
    this.#version = version;
    this.#mix = mix;
    this.#seed = seed;
    this.#random = new Seeded(seed);
    while (KEYS.length < mix.servers) KEYS.push(signingKeyFromSeed('1', new Uint8Array(32).fill(KEYS.length + 1)));
    this.#keys = KEYS.slice(0, mix.servers);
  }

  publicKeys(): Map<string, Uint8Array> {
    return new Map(this.#keys.map((key, index) => [`server${index}.test`, key.publicKey]));
  }

  begin(): void {
    const creator = this.#user(0);
    this.#branches = [{ tip: '', depth: 0, changes: new Map() }];
    const [trunk] = this.#branches as [Branch];
    const isNamedByEvent = this.#version.roomIdFormat === 'create-hash';
    // Where the ID is that of the event, nothing else would tell the rooms of two seeds apart.
    const content = { room_version: this.#version.id, ...(this.#version.creatorInContent && { creator }), ...(isNamedByEvent && { 'test.seed': this.#seed }) };
    this.#add(trunk, { type: 'm.room.create', sender: creator, state_key: '', content });
    this.roomId = isNamedByEvent ? roomIdOfCreateEvent(trunk.tip) : this.roomId;
    this.#join(trunk, creator);
    const users = this.#version.privilegedCreators ? {} : { [creator]: 100 };
    this.#add(trunk, { type: 'm.room.power_levels', sender: creator, state_key: '', content: { users, state_default: 0, events: { 'm.room.power_levels': 100 }, invite: 0 } });
    this.#add(trunk, { type: 'm.room.join_rules', sender: creator, state_key: '', content: { join_rule: 'public' } });
    this.#add(trunk, { type: 'm.room.history_visibility', sender: creator, state_key: '', content: { history_visibility: 'shared' } });
  }

  joinAll(): void {
    const [trunk] = this.#branches as [Branch];
    for (let index = 1; index < this.#mix.members; index += 1) this.#join(trunk, this.#user(index));
  }

  /** One event, or the beginning of a branch, or the meeting of all. */
  step(): void {
    const { forks, forkWidth } = this.#mix;
    const roll = this.#below(100);
    if (this.#branches.length > 1 && this.#below(100) < 50) this.#merge();
    else if (roll < forks && this.#branches.length < forkWidth) this.#fork();
    this.#grow(this.#random.pick(this.#branches));
  }

  #grow(branch: Branch): void {
    const { membership, state } = this.#mix;
    const roll = this.#below(100);
    if (roll < membership) this.#changeMembership(branch);
    else if (roll < membership + state) this.#changeState(branch);
    else this.#message(branch);
  }

  #message(branch: Branch): void {
    this.#add(branch, { type: 'm.room.message', sender: this.#member(), content: { msgtype: 'm.text', body: this.#text(4 + this.#below(60)) } });
  }

  #changeState(branch: Branch): void {
    const [type, stateKey, content] = this.#random.pick([
      ['m.room.topic', '', { topic: this.#text(8) }], ['m.room.name', '', { name: this.#text(3) }], ['test.setting', `${this.#below(20)}`, { value: this.#text(5) }],
    ] as const);
    if (this.#isTaken(slotOf(type, stateKey))) return this.#message(branch);
    this.#add(branch, { type, sender: this.#member(), state_key: stateKey, content: { ...content } });
  }

  #changeMembership(branch: Branch): void {
    const user = this.#user(1 + this.#below(this.#mix.members - 1));
    if (this.#isTaken(slotOf('m.room.member', user))) return this.#message(branch);
    const isIn = this.#places.has(user);
    const leaves = isIn && this.#joined.length > 20 && this.#below(100) < 40;
    if (leaves) this.#leave(branch, user);
    else this.#join(branch, user);
  }

  #join(branch: Branch, user: string): void {
    this.#add(branch, { type: 'm.room.member', sender: user, state_key: user, content: { membership: 'join', displayname: `${user.slice(1, 8)} ${this.#text(1)}` } });
    if (this.#places.has(user) || this.#branches.length > 1) return;
    this.#places.set(user, this.#joined.push(user) - 1);
  }

  /** Whoever speaks on one branch must not leave on another: members come and go on the trunk alone. */
  #leave(branch: Branch, user: string): void {
    if (this.#branches.length > 1) return this.#message(branch);
    this.#add(branch, { type: 'm.room.member', sender: user, state_key: user, content: { membership: 'leave' } });
    const place = this.#places.get(user)!;
    const last = this.#joined.pop()!;
    this.#places.delete(user);
    if (last === user) return;
    this.#joined[place] = last;
    this.#places.set(last, place);
  }

  #fork(): void {
    if (this.#branches.length > 1) {
      const from = this.#random.pick(this.#branches);
      this.#branches.push({ tip: from.tip, depth: from.depth, changes: new Map(from.changes) });
      return;
    }
    const [trunk] = this.#branches as [Branch];
    this.#branches = [{ ...trunk, changes: new Map() }, { ...trunk, changes: new Map() }];
    // Both ends must have something of their own, or there is nothing to meet.
    for (const branch of this.#branches) this.#grow(branch);
  }

  #merge(): void {
    const tips = [...new Map(this.#branches.map((branch) => [branch.tip, branch])).values()];
    for (const { changes } of tips) for (const [slot, eventId] of changes) this.#state.set(slot, eventId);
    const trunk: Branch = { tip: tips[0]!.tip, depth: Math.max(...tips.map(({ depth }) => depth)), changes: new Map() };
    this.#branches = [trunk];
    this.#add(trunk, { type: 'm.room.message', sender: this.#member(), content: { msgtype: 'm.text', body: this.#text(4) } }, tips.map(({ tip }) => tip));
  }

  /** Changed on a branch that is not merged yet. */
  #isTaken(slot: Slot): boolean {
    return this.#branches.length > 1 && this.#branches.some(({ changes }) => changes.has(slot));
  }

  #add(branch: Branch, draft: EventDraft, prevs: readonly string[] = branch.tip === '' ? [] : [branch.tip]): void {
    const server = draft.sender.slice(draft.sender.indexOf(':') + 1);
    if (draft.type === 'm.room.create' && this.#version.roomIdFormat === 'domain') this.roomId = `!replay${this.#seed}:${server}`;
    const authEvents = authTypesFor(draft, this.#version).flatMap(([type, stateKey]) => {
      const slot = slotOf(type, stateKey);
      return branch.changes.get(slot) ?? this.#state.get(slot) ?? [];
    });
    const { eventId, json } = buildEvent({
      version: this.#version, draft, roomId: this.roomId === '' ? undefined : this.roomId, prevEvents: prevs, authEvents, depth: branch.depth + 1,
      originServerTs: FIRST_TS + this.lines.length * 1000, serverName: server, signingKey: this.#keys[Number(/\d+/.exec(server)![0])]!,
    });
    branch.tip = eventId;
    branch.depth += 1;
    this.lines.push(json);
    this.eventIds.push(eventId);
    if (draft.state_key === undefined) return;
    if (this.#branches.length > 1) branch.changes.set(slotOf(draft.type, draft.state_key), eventId);
    else this.#state.set(slotOf(draft.type, draft.state_key), eventId);
  }

  /** A whole number from 0 to under `limit`. */
  #below(limit: number): number {
    return this.#random.whole(0, limit - 1);
  }

  #user(index: number): string {
    return `@user${index}:server${index % this.#mix.servers}.test`;
  }

  #member(): string {
    return this.#random.pick(this.#joined);
  }

  #text(words: number): string {
    return Array.from({ length: words }, () => this.#random.pick(WORDS)).join(' ');
  }
}
