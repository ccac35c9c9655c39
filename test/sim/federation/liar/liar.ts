/**
 * A peer that lies: a third server with a key of its own and a user who joins rooms as everybody does, and who then does what no server should (`attacks.ts`) and answers
 * as no server should (`answers.ts`).
 */
import { signedTransport } from '../../../../pkg/federation/sign-requests.ts';
import type { FederationResponse, FederationTransport } from '../../../../pkg/federation/transport.ts';
import type { RawRequest } from '../../../../pkg/http/router.ts';
import type { ApiResponse } from '../../../../pkg/http/route.ts';
import { eventIdOf } from '../../../../pkg/matrix/events/event-id.ts';
import type { Pdu } from '../../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../../pkg/matrix/room-versions/room-versions.ts';
import { hashAndSignEvent } from '../../../../pkg/matrix/signing/sign-event.ts';
import { signingKeyFromSeed, type SigningKey } from '../../../../pkg/matrix/signing/signing-key.ts';
import type { World } from '../../world.ts';
import type { Peer, SimNetwork } from '../network.ts';
import { answer } from './answers.ts';
import { ATTACKS } from './attacks.ts';
import { LiarRoom, listOf } from './liar-room.ts';

export const LIAR_NAME = 'liar.test';
const DEADLINE_MS = 20_000;

export class LyingPeer implements Peer {
  readonly name = LIAR_NAME;
  readonly userId = `@mallory:${LIAR_NAME}`;
  readonly signingKey: SigningKey = signingKeyFromSeed('liar', new Uint8Array(32).fill(99));
  readonly world: World;
  readonly rooms = new Map<string, LiarRoom>();
  /** Rooms that it has heard of and is not in. */
  readonly otherRooms: string[] = [];
  /** When the world is healed it is silent: gone for good, or polite. */
  silence: 'not yet' | 'gone' | 'polite' = 'not yet';
  lies = 0;
  #transactions = 0;
  readonly #transport: FederationTransport;

  constructor(world: World, network: SimNetwork) {
    this.world = world;
    this.#transport = signedTransport({ request: (request) => network.ask(LIAR_NAME, request) }, { serverName: LIAR_NAME, signingKey: this.signingKey });
  }

  get honest(): string[] {
    return this.world.servers.map(({ name }) => name);
  }

  async receive(raw: RawRequest): Promise<ApiResponse | undefined> {
    return answer(this, raw);
  }

  /** One request; undefined when it failed in any way. A failure of the other server itself is a broken law. */
  async ask(destination: string, method: 'GET' | 'PUT' | 'POST', path: string, more: { body?: Record<string, unknown>; query?: Record<string, string | string[]> } = {}): Promise<FederationResponse | undefined> {
    return this.#transport.request({ destination, method, path: `/_matrix/federation${path}`, ...more, deadlineMs: DEADLINE_MS }).catch(() => undefined);
  }

  /** What it says in one transaction to each of these servers. */
  async send(destinations: readonly string[], pdus: readonly unknown[], how: { txnId?: string; edus?: readonly unknown[] } = {}): Promise<void> {
    this.#transactions += 1;
    const body = { origin: LIAR_NAME, origin_server_ts: Math.floor(this.world.scheduler.now), pdus, ...(how.edus === undefined ? {} : { edus: how.edus }) };
    await Promise.all(destinations.map((name) => this.ask(name, 'PUT', `/v1/send/${how.txnId ?? this.#transactions}`, { body })));
  }

  /** Tries until it is in, or silent. */
  async join(roomId: string, via: string): Promise<void> {
    while (this.silence === 'not yet') {
      if (await this.#joinOnce(roomId, via)) return;
      await this.world.sleep(this.world.random.between(500, 5000));
    }
  }

  async #joinOnce(roomId: string, via: string): Promise<boolean> {
    const template = await this.ask(via, 'GET', `/v1/make_join/${encodeURIComponent(roomId)}/${encodeURIComponent(this.userId)}`, { query: { ver: ['10', '11', '12'] } });
    const version = roomVersion(String(template?.body['room_version']));
    if (template === undefined || version === undefined) return false;
    const event = hashAndSignEvent({ ...(template.body['event'] as Pdu), origin_server_ts: Math.floor(this.world.scheduler.now) }, version, LIAR_NAME, this.signingKey);
    const sent = await this.ask(via, 'PUT', `/v2/send_join/${encodeURIComponent(roomId)}/${encodeURIComponent(eventIdOf(event, version))}`, { body: { ...event } });
    if (sent === undefined) return false;
    const room = new LiarRoom(roomId, version, { serverName: LIAR_NAME, signingKey: this.signingKey });
    for (const part of ['auth_chain', 'state']) for (const pdu of listOf(sent.body[part])) room.learn(pdu, false);
    room.learn(event, true);
    this.rooms.set(roomId, room);
    return true;
  }

  /** Lies until it is silent. */
  async keepLying(): Promise<void> {
    const { random } = this.world;
    while (this.silence === 'not yet') {
      await this.world.sleep(random.between(50, 2500));
      if (this.silence !== 'not yet' || this.rooms.size === 0) continue;
      const room = random.pick([...this.rooms.values()]);
      this.lies += 1;
      const [name, attack] = random.pick(ATTACKS);
      this.world.note(this.world.scheduler.now, `liar: ${name}`);
      await attack(this, room);
    }
  }
}
