/** A client of the simulated world: registers, chats, and syncs; tries again whatever got no answer, as real clients do. */
import type { SimResponse, SimServer } from './server.ts';
import type { World } from './world.ts';

interface TimelineEvent {
  readonly event_id: string;
  readonly type: string;
  readonly sender: string;
  readonly content: { readonly body?: string; readonly membership?: string };
}

interface SyncBody {
  readonly next_batch: string;
  readonly account_data?: { readonly events: readonly { readonly type: string; readonly content: { readonly value?: string } }[] };
  readonly to_device?: { readonly events: readonly { readonly sender: string; readonly content: { readonly n?: number } }[] };
  readonly device_lists?: { readonly changed: readonly string[] };
  readonly rooms?: {
    readonly join?: Record<string, { timeline?: { events: TimelineEvent[]; limited?: boolean } }>;
    readonly invite?: Record<string, unknown>;
  };
}

const ACCOUNT_DATA_TYPE = 'test.sim';
const SYNC_FILTER = encodeURIComponent(JSON.stringify({ room: { timeline: { limit: 1000 } } }));

export class SimClient {
  readonly userId: string;
  readonly server: SimServer;
  token = '';
  /** Event IDs seen in timelines of joined rooms, in order, by room. */
  readonly seen = new Map<string, TimelineEvent[]>();
  readonly invites = new Set<string>();
  /** Acknowledged sends: body -> event ID. */
  readonly acked = new Map<string, string>();
  readonly tokens: string[] = [];
  /** Numbers of the messages to its device, in order, by sender. */
  readonly toDevice = new Map<string, number[]>();
  /** How many it has sent to the devices of everybody, acknowledged. */
  toDeviceSent = 0;
  /** Users whose devices or keys have changed. */
  readonly keysChanged = new Set<string>();
  /** Own events that were redacted, acknowledged. */
  readonly redacted: string[] = [];
  /** The account data's newest acknowledged value, and the newest one that a sync brought. */
  readonly accountData = { set: '', synced: '' };
  /** The newest acknowledged one. */
  displayName = '';
  #since = '';
  #stopped = false;
  readonly #world: World;
  readonly #name: string;

  constructor(server: SimServer, name: string) {
    this.server = server;
    this.#world = server.world;
    this.#name = name;
    this.userId = `@${name}:${server.name}`;
  }

  /** Repeats a request until an answer that is final: not a lost one, nor a 5xx or 429. */
  async persist(method: string, path: string, body?: unknown): Promise<SimResponse> {
    for (;;) {
      const response = await this.server.request(method, path, { token: this.token, body });
      if (response.status === 401) throw new Error(`${this.userId} is not known any more: ${JSON.stringify(response.body)}`);
      if (response.status !== 0 && response.status < 500 && response.status !== 429) return response;
      await this.#world.sleep(this.#world.random.between(50, 500));
    }
  }

  /** Once, whatever comes of it. */
  try(method: string, path: string, body?: unknown): Promise<SimResponse> {
    return this.server.request(method, path, { token: this.token, body });
  }

  async signUp(): Promise<void> {
    const path = '/_matrix/client/v3/register';
    const want = { username: this.#name, password: `secret of ${this.#name}`, device_id: 'DEVICE' };
    for (;;) {
      const first = await this.server.request('POST', path, { body: want });
      if (first.status === 400 && first.body.errcode === 'M_USER_IN_USE') return this.#logIn();
      if (first.status === 401) {
        const second = await this.server.request('POST', path, { body: { ...want, auth: { type: 'm.login.dummy', session: first.body.session } } });
        if (second.status === 200) return void (this.token = second.body.access_token as string);
        if (second.status === 400 && second.body.errcode === 'M_USER_IN_USE') return this.#logIn();
      }
      await this.#world.sleep(this.#world.random.between(50, 500));
    }
  }

  async #logIn(): Promise<void> {
    for (;;) {
      const response = await this.server.request('POST', '/_matrix/client/v3/login', {
        body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: this.#name }, password: `secret of ${this.#name}`, device_id: 'DEVICE' },
      });
      if (response.status === 200) return void (this.token = response.body.access_token as string);
      if (response.status === 403) this.#world.violations.push(`${this.userId} cannot log in: ${JSON.stringify(response.body)}`);
      await this.#world.sleep(this.#world.random.between(50, 500));
    }
  }

  async createRoom(): Promise<string> {
    const response = await this.persist('POST', '/_matrix/client/v3/createRoom', { preset: 'private_chat', name: 'sim' });
    if (response.status !== 200) this.#world.violations.push(`createRoom: ${JSON.stringify(response)}`);
    return response.body.room_id as string;
  }

  async invite(roomId: string, userId: string): Promise<void> {
    await this.persist('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/invite`, { user_id: userId });
  }

  async join(roomId: string): Promise<void> {
    const response = await this.persist('POST', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/join`, {});
    if (response.status !== 200) this.#world.violations.push(`${this.userId} cannot join: ${JSON.stringify(response)}`);
  }

  async send(roomId: string, body: string): Promise<void> {
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/send/m.room.message/${encodeURIComponent(`txn ${body}`)}`;
    const response = await this.persist('PUT', path, { msgtype: 'm.text', body, ...this.#relation() });
    if (response.status === 200) this.acked.set(body, response.body.event_id as string);
    else this.#world.violations.push(`${this.userId} cannot send: ${JSON.stringify(response)}`);
  }

  /** What a message says of those before: most answer, replace or name one. */
  #relation(): object {
    const before = [...this.acked.values()];
    if (before.length === 0) return {};
    const [relType, eventId] = [['m.reference', before.at(-1)], ['m.thread', before[0]], ['m.replace', before[0]]][before.length % 3]!;
    return { 'm.new_content': {}, 'm.relates_to': { rel_type: relType, event_id: eventId } };
  }

  /** Redacts the first of its messages. */
  async redactFirst(roomId: string): Promise<void> {
    const [eventId] = this.acked.values();
    const path = `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/redact/${encodeURIComponent(eventId!)}/redaction`;
    const response = await this.persist('PUT', path, {});
    if (response.status === 200) this.redacted.push(eventId!);
    else this.#world.violations.push(`${this.userId} cannot redact: ${JSON.stringify(response)}`);
  }

  /** To the devices of all: each is to get it once. */
  async sendToDevices(users: readonly string[], count: number): Promise<void> {
    for (let n = 1; n <= count; n += 1) {
      const messages = Object.fromEntries(users.map((userId, index) => [userId, { [index % 2 === 0 ? '*' : 'DEVICE']: { n } }]));
      await this.#put(`/_matrix/client/v3/sendToDevice/test.sim/to-device-${n}`, { messages });
      this.toDeviceSent = n;
    }
  }

  async setAccountData(value: string): Promise<void> {
    const response = await this.persist('PUT', this.#accountDataPath(), { value });
    if (response.status === 200) this.accountData.set = value;
    else this.#world.violations.push(`${this.userId} cannot set account data: ${JSON.stringify(response)}`);
  }

  async rename(displayname: string): Promise<void> {
    await this.#put(`/_matrix/client/v3/profile/${encodeURIComponent(this.userId)}/displayname`, { displayname });
    this.displayName = displayname;
  }

  /** Two devices at once lose no tag. */
  async tag(roomId: string, tags: readonly string[]): Promise<void> {
    await Promise.all(tags.map((tag) => this.#put(`${this.#tagsPath(roomId)}/${tag}`, { order: 0.5 })));
    const { body } = await this.persist('GET', this.#tagsPath(roomId));
    const missing = tags.filter((tag) => !Object.hasOwn(body['tags'] as object, tag));
    if (missing.length > 0) this.#world.violations.push(`${this.userId} has lost the tags ${missing.join()}`);
  }

  /** Shows the room in the directory, and then gives it another name. */
  async publish(roomId: string, name: string): Promise<void> {
    await this.#put(`/_matrix/client/v3/directory/list/room/${encodeURIComponent(roomId)}`, { visibility: 'public' });
    await this.#put(`/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state/m.room.name`, { name });
    // What the read model is too long about is answered before it shows.
    for (;;) {
      const { body } = await this.persist('GET', '/_matrix/client/v3/publicRooms');
      const [room] = body['chunk'] as { room_id: string; name: string }[];
      if (room?.room_id === roomId && room.name === name) return;
      await this.#world.sleep(1000);
    }
  }

  /** Resolves once the room has heard of the newest name of the user. */
  async untilNamed(roomId: string, { userId, displayName }: Pick<SimClient, 'userId' | 'displayName'>): Promise<void> {
    for (;;) {
      const { body } = await this.persist('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/state/m.room.member/${encodeURIComponent(userId)}`);
      if (body['displayname'] === displayName) return;
      await this.#world.sleep(1000);
    }
  }

  async #put(path: string, body: object): Promise<void> {
    const response = await this.persist('PUT', path, body);
    if (response.status !== 200) this.#world.violations.push(`${this.userId} cannot PUT ${path}: ${JSON.stringify(response)}`);
  }

  #tagsPath(roomId: string): string {
    return `/_matrix/client/v3/user/${encodeURIComponent(this.userId)}/rooms/${encodeURIComponent(roomId)}/tags`;
  }

  /** Reads, from whichever front, what must be gone and what must be there. */
  async readBack(roomId: string, redacted: readonly string[]): Promise<void> {
    const wrong = (what: string, response: SimResponse): void => void this.#world.violations.push(`${this.userId} reads ${what}: ${JSON.stringify(response)}`);
    for (const eventId of redacted) {
      const response = await this.persist('GET', `/_matrix/client/v3/rooms/${encodeURIComponent(roomId)}/event/${encodeURIComponent(eventId)}`);
      if (response.status !== 200 || JSON.stringify(response.body['content']) !== '{}') wrong('a redacted event', response);
    }
    const data = await this.persist('GET', this.#accountDataPath());
    if (data.body['value'] !== this.accountData.set) wrong(`account data, set to ${this.accountData.set},`, data);
  }

  #accountDataPath(): string {
    return `/_matrix/client/v3/user/${encodeURIComponent(this.userId)}/account_data/${ACCOUNT_DATA_TYPE}`;
  }

  stop(): void {
    this.#stopped = true;
  }

  /** Syncs until `stop`, keeping what each answer says. */
  async keepSyncing(): Promise<void> {
    while (!this.#stopped) {
      const since = this.#since === '' ? '' : `&since=${encodeURIComponent(this.#since)}&timeout=${this.#world.random.pick([0, 1000, 30000])}`;
      const response = await this.server.request('GET', `/_matrix/client/v3/sync?filter=${SYNC_FILTER}${since}`, { token: this.token });
      if (response.status === 200) this.#take(response.body as unknown as SyncBody);
      else if (response.status === 0 || response.status >= 500) await this.#world.sleep(100);
      else return void this.#world.violations.push(`${this.userId} cannot sync: ${JSON.stringify(response)}`);
    }
  }

  /** Until the first answer: of what came before it, clients are told no changes. */
  async untilSynced(): Promise<void> {
    while (this.tokens.length === 0 && !this.#stopped) await this.#world.sleep(100);
  }

  #take(body: SyncBody): void {
    this.#since = body.next_batch;
    this.tokens.push(body.next_batch);
    for (const { sender, content } of body.to_device?.events ?? []) this.toDevice.set(sender, [...(this.toDevice.get(sender) ?? []), content.n ?? 0]);
    for (const userId of body.device_lists?.changed ?? []) this.keysChanged.add(userId);
    for (const event of body.account_data?.events ?? []) if (event.type === ACCOUNT_DATA_TYPE) this.accountData.synced = event.content.value ?? '';
    for (const roomId of Object.keys(body.rooms?.invite ?? {})) this.invites.add(roomId);
    for (const [roomId, room] of Object.entries(body.rooms?.join ?? {})) {
      const events = this.seen.get(roomId) ?? [];
      events.push(...(room.timeline?.events ?? []));
      this.seen.set(roomId, events);
    }
  }
}
