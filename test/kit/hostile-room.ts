/** Histories that a hostile server makes: signed as they should be, in forms that cost whoever receives them. No state resolution of their own: every branch says what it likes. */
import { authTypesFor } from '../../pkg/matrix/auth/auth-types.ts';
import { buildEvent, type BuiltEvent } from '../../pkg/matrix/events/build-event.ts';
import type { EventDraft } from '../../pkg/matrix/events/pdu.ts';
import { roomIdOfCreateEvent } from '../../pkg/matrix/ids/room-id.ts';
import { roomVersion, type RoomVersion } from '../../pkg/matrix/room-versions/room-versions.ts';
import { signingKeyFromSeed, type SigningKey } from '../../pkg/matrix/signing/signing-key.ts';
import { slotOf, slotOfEvent, type Slot } from '../../pkg/matrix/state-res/slot.ts';

export interface HostileEvent extends Pick<BuiltEvent, 'eventId' | 'json'> {
  readonly origin: string;
  /** It waits for what nobody has. */
  readonly isStuck?: true;
}

export interface HostileHistory {
  readonly roomId: string;
  /** In the order in which they are sent; a peaceful beginning comes first. */
  readonly beginning: readonly HostileEvent[];
  readonly attack: readonly HostileEvent[];
}

export const ATTACKS = ['forks', 'bans', 'depth', 'auth'] as const;
export type Attack = (typeof ATTACKS)[number];

const SERVER = 'hostile.test';
const OTHER_SERVER = 'accomplice.test';
const KEY = signingKeyFromSeed('1', new Uint8Array(32).fill(66));
const EVIL = `@evil:${SERVER}`;
const BRANCHES = 20;
const ADMINS = Array.from({ length: BRANCHES }, (_, index) => `@admin${index}:${SERVER}`);
const DEPTH_MAX = Number.MAX_SAFE_INTEGER;

/** A user of the attacked server who is in the room, and the key that their server signs with. */
export interface Victim {
  readonly userId: string;
  readonly key: SigningKey;
}

export function makeHostile(attack: Attack, size: number, { versionId, victim }: { versionId: string; victim: Victim }): HostileHistory {
  const room = new HostileRoom(roomVersion(versionId)!, victim);
  const trunk = room.begin();
  const beginning = room.sent.splice(0);
  ATTACK[attack](room, trunk, size);
  return { roomId: room.roomId, beginning, attack: room.sent };
}

interface Branch {
  tip: string;
  depth: number;
  readonly state: Map<Slot, string>;
}

class HostileRoom {
  readonly version: RoomVersion;
  readonly sent: HostileEvent[] = [];
  readonly #victim: Victim;
  roomId = '';
  #ts = 1_700_000_000_000;

  constructor(version: RoomVersion, victim: Victim) {
    this.version = version;
    this.#victim = victim;
  }

  begin(): Branch {
    const { version } = this;
    const hashed = version.roomIdFormat === 'create-hash';
    if (!hashed) this.roomId = `!hostile:${SERVER}`;
    const trunk: Branch = { tip: '', depth: 0, state: new Map() };
    const create = this.send(trunk, { type: 'm.room.create', sender: EVIL, state_key: '', content: { room_version: version.id, ...(version.creatorInContent && { creator: EVIL }) } });
    if (hashed) this.roomId = roomIdOfCreateEvent(create);
    this.join(trunk, EVIL);
    this.levels(trunk, EVIL, 0);
    this.send(trunk, { type: 'm.room.join_rules', sender: EVIL, state_key: '', content: { join_rule: 'public' } });
    for (const userId of ADMINS) this.join(trunk, userId);
    this.join(trunk, this.#victim.userId);
    return trunk;
  }

  join(branch: Branch, userId: string): void {
    this.send(branch, { type: 'm.room.member', sender: userId, state_key: userId, content: { membership: 'join' } });
  }

  levels(branch: Branch, sender: string, round: number): void {
    const users = { ...(this.version.privilegedCreators ? {} : { [EVIL]: 100 }), ...Object.fromEntries(ADMINS.map((userId) => [userId, 90])), [`@round${round}:${SERVER}`]: 1 };
    this.send(branch, { type: 'm.room.power_levels', sender, state_key: '', content: { users, events: { 'm.room.power_levels': 50 } } });
  }

  copy({ tip, depth, state }: Branch): Branch {
    return { tip, depth, state: new Map(state) };
  }

  /** `more`: what is other than it should be. */
  send(branch: Branch, draft: EventDraft, more: { depth?: number; auth?: readonly string[]; changesNothing?: boolean; isStuck?: true; origin?: string } = {}): string {
    const auth = authTypesFor(draft, this.version).flatMap(([type, stateKey]) => branch.state.get(slotOf(type, stateKey)) ?? []);
    const serverName = draft.sender.slice(draft.sender.indexOf(':') + 1);
    branch.depth = more.depth ?? Math.min(DEPTH_MAX, branch.depth + 1);
    const { eventId, pdu, json } = buildEvent({
      version: this.version, draft, roomId: this.roomId === '' ? undefined : this.roomId, prevEvents: branch.tip === '' ? [] : [branch.tip], authEvents: [...auth, ...(more.auth ?? [])],
      depth: branch.depth, originServerTs: (this.#ts += 1000), serverName, signingKey: serverName === SERVER ? KEY : this.#victim.key,
    });
    branch.tip = eventId;
    if (pdu.state_key !== undefined && more.changesNothing !== true) branch.state.set(slotOfEvent(pdu), eventId);
    this.sent.push({ eventId, json, origin: more.origin ?? SERVER, ...(more.isStuck && { isStuck: true }) });
    return eventId;
  }
}

const message = (sender: string, body: string): EventDraft => ({ type: 'm.room.message', sender, content: { body } });

const ATTACK: Record<Attack, (room: HostileRoom, trunk: Branch, size: number) => void> = {
  /** So many events with the same previous one: messages, changes of one thing, changes of many things. */
  forks(room, trunk, size) {
    for (let index = 0; index < size; index += 1) {
      const sender = ADMINS[index % BRANCHES]!;
      const drafts: EventDraft[] = [
        message(sender, `${index}`), { type: 'm.room.topic', sender, state_key: '', content: { topic: `${index}` } }, { type: 'test.setting', sender, state_key: `${index}`, content: {} },
      ];
      room.send(room.copy(trunk), drafts[index % drafts.length]!);
    }
  },
  /** Branches that ban the same users, let some in again, and change who has power; in turn. */
  bans(room, trunk, size) {
    const branches = ADMINS.map(() => room.copy(trunk));
    for (let index = 0; index < size; index += 1) {
      const [at, turn] = [index % BRANCHES, Math.floor(index / BRANCHES)];
      const [branch, sender] = [branches[at]!, ADMINS[at]!];
      if (turn % 50 === 49) room.levels(branch, sender, index);
      const target = `@victim${(turn * 7 + at) % Math.ceil(size / BRANCHES)}:${OTHER_SERVER}`;
      room.send(branch, { type: 'm.room.member', sender, state_key: target, content: { membership: 'ban', reason: `${index}` } });
      if (turn % 5 === 4) room.send(branch, { type: 'm.room.member', sender, state_key: target, content: { membership: 'leave' } });
    }
  },
  /** As deep as an event can be; then others that follow it and that do not. */
  depth(room, trunk, size) {
    const aside = room.copy(trunk);
    room.send(trunk, message(EVIL, 'deep'), { depth: DEPTH_MAX });
    for (let index = 0; index < size; index += 1) {
      const branch = index % 3 === 0 ? room.copy(aside) : trunk;
      room.send(branch, index % 2 === 0 ? message(EVIL, `${index}`) : { type: 'm.room.topic', sender: EVIL, state_key: '', content: { topic: `${index}` } }, index % 5 === 0 ? { depth: 0 } : {});
    }
  },
  /** Long chains of events that follow and cite refused ones, and of events that cite what nobody has. */
  auth(room, trunk, size) {
    const aside = room.copy(trunk);
    const lost = room.copy(trunk);
    const stranger = `@stranger:${SERVER}`;
    const setting = (sender: string, index: number): EventDraft => ({ type: 'test.setting', sender, state_key: `${index}`, content: {} });
    const refused = room.send(aside, setting(stranger, 0), { changesNothing: true });
    for (let index = 1; index < size; index += 1) {
      room.send(aside, setting(stranger, index), { auth: [refused], changesNothing: true });
      if (index % 2 === 0) room.send(lost, setting(EVIL, index), { auth: [`$nobody-has-this-one-of-them-all-at-all-${String(index).padStart(4, '0')}`], isStuck: true, origin: OTHER_SERVER });
      if (index % 10 === 0) room.send(trunk, setting(EVIL, index));
    }
    room.send(aside, message(EVIL, 'through what was refused'));
  },
};
