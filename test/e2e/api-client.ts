/** Plain requests to a running server: what a test says about each, and nothing repeated behind its back. */
import assert from 'node:assert/strict';
import { randomBytes } from 'node:crypto';

export interface Answer {
  readonly status: number;
  readonly headers: Headers;
  // eslint-disable-next-line @typescript-eslint/no-explicit-any
  readonly body: any;
}

export interface ApiSession {
  readonly userId: string;
  readonly token: string;
  call(method: string, path: string, body?: unknown, headers?: Readonly<Record<string, string>>): Promise<Answer>;
}

export const V3 = '/_matrix/client/v3';
export const PASSWORD = 'correct horse battery';

/** One request. `body`: an object becomes JSON, a string is sent as it is. Rejects when no whole answer comes back. */
export async function call(baseUrl: string, method: string, path: string, more: { token?: string; body?: unknown; headers?: Readonly<Record<string, string>> } = {}): Promise<Answer> {
  const headers = { ...more.headers, ...(more.token === undefined ? {} : { authorization: `Bearer ${more.token}` }) };
  const body = more.body === undefined || typeof more.body === 'string' ? more.body : JSON.stringify(more.body);
  const response = await fetch(`${baseUrl}${path}`, { method, headers, body });
  const text = await response.text();
  return { status: response.status, headers: response.headers, body: /^[[{]/.test(text) ? JSON.parse(text) : text };
}

/** A new account, logged in. */
export async function register(baseUrl: string, name = `user${randomBytes(5).toString('hex')}`): Promise<ApiSession> {
  const answer = await call(baseUrl, 'POST', `${V3}/register`, { body: { username: name, password: PASSWORD, auth: { type: 'm.login.dummy' } } });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return session(baseUrl, answer);
}

/** Another device of the account. */
export async function logIn(baseUrl: string, userId: string): Promise<ApiSession> {
  return session(baseUrl, await call(baseUrl, 'POST', `${V3}/login`, { body: { type: 'm.login.password', identifier: { type: 'm.id.user', user: userId }, password: PASSWORD } }));
}

function session(baseUrl: string, { body }: Answer): ApiSession {
  const { user_id: userId, access_token: token } = body as { user_id: string; access_token: string };
  return { userId, token, call: (method, path, content, headers) => call(baseUrl, method, path, { token, body: content, headers }) };
}

/** A new public room that the session is in; its ID is ready for a path. */
export async function newRoom(of: ApiSession): Promise<string> {
  const answer = await of.call('POST', `${V3}/createRoom`, { preset: 'public_chat' });
  assert.equal(answer.status, 200, JSON.stringify(answer.body));
  return encodeURIComponent((answer.body as { room_id: string }).room_id);
}

/** Bodies and event IDs of all messages of a room, oldest first, by paging back through /messages. */
export async function readMessages(of: ApiSession, room: string): Promise<{ eventId: string; body: string }[]> {
  const found: { eventId: string; body: string }[] = [];
  for (let from = ''; ;) {
    const page = await of.call('GET', `${V3}/rooms/${room}/messages?dir=b&limit=100${from}`);
    assert.equal(page.status, 200, JSON.stringify(page.body));
    const { chunk, end } = page.body as { chunk: { event_id: string; type: string; content: { body: string } }[]; end?: string };
    for (const event of chunk) if (event.type === 'm.room.message') found.unshift({ eventId: event.event_id, body: event.content.body });
    if (end === undefined) return found;
    from = `&from=${encodeURIComponent(end)}`;
  }
}
