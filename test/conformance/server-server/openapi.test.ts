/** Every operation of the Server-Server API that is routed, against the spec's OpenAPI description: answers and refusals, over the whole server. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { signRequest } from '../../../pkg/federation/x-matrix.ts';
import { parseServerKeys } from '../../../pkg/federation/server-keys.ts';
import { parseNotaryResponse } from '../../../pkg/federation/notary.ts';
import { eventIdOf } from '../../../pkg/matrix/events/event-id.ts';
import type { BuiltEvent } from '../../../pkg/matrix/events/build-event.ts';
import type { Pdu } from '../../../pkg/matrix/events/pdu.ts';
import { roomVersion } from '../../../pkg/matrix/room-versions/room-versions.ts';
import { encodeBase64 } from '../../../pkg/matrix/canonical-json/base64.ts';
import { signJson } from '../../../pkg/matrix/signing/sign-json.ts';
import { hashAndSignEvent } from '../../../pkg/matrix/signing/sign-event.ts';
import { createClock } from '../../../pkg/runtime/real/clock.ts';
import { createKeyServers, type KeyServer } from '../../kit/key-servers.ts';
import { loadOperations, schemaProblem, specMissing } from '../client-server/spec.ts';
import { driveByHand, FEDERATION, FEDERATION_V2, type HandServer, type Joined } from './by-hand.ts';
import { createWorld, SERVER, type Account, type Answer, type Call, type World } from '../client-server/world.ts';

const KEY = '/_matrix/key/v2';
const ERROR = { type: 'object', required: ['errcode', 'error'], properties: { errcode: { type: 'string', pattern: '^M_' }, error: { type: 'string', minLength: 1 } } };

type Refused = [operationId: string, call: Call, status: number, errcode: string];

describe('the Server-Server API as the spec describes it', { skip: specMissing }, () => {
  const operations = specMissing === undefined ? loadOperations('server-server') : new Map<string, never>();
  const servers = createKeyServers(createClock());
  const remote = servers.add('remote.test', 1);
  const denied = servers.add('denied.test', 2);
  let world: World;
  let alice: Account;
  /** World readable, so that a server without members may ask. */
  let roomId: string;
  let closedRoomId: string;
  /** Users of another server are joined to it. */
  let openRoomId: string;
  let knockRoomId: string;
  let spaceId: string;
  let since: string;
  let openidToken: string;
  const sent: string[] = [];
  let hand: HandServer;
  let joined: Joined;
  const made: Record<string, BuiltEvent> = {};

  before(async () => {
    const federation = {
      wellKnownServer: 'matrix.spec.example:443', trustedKeyServers: [], deniedServers: ['denied.*'], allowedServers: [], pendingInvitesMax: 500, caFiles: [], ipDenied: [], ipAllowed: [], overrides: new Map(), retry: { firstMs: 10, maxMs: 100 },
    };
    world = await createWorld({ federation }, { transport: servers.transport });
    alice = await world.register('alice');
    await world.ask(alice, 'PUT', `/profile/${alice.userId}/displayname`, { displayname: 'Alice' });
    openidToken = (await world.ask(alice, 'POST', `/user/${alice.userId}/openid/request_token`, {})).access_token;
    roomId = await newRoom('world_readable');
    closedRoomId = await newRoom('shared');
    await world.ask(alice, 'PUT', `/directory/room/${encodeURIComponent(`#tea:${SERVER}`)}`, { room_id: roomId });
    for (let i = 0; i < 4; i += 1) sent.push(await send(roomId));
    hand = driveByHand(world, remote);
    openRoomId = (await world.ask(alice, 'POST', '/createRoom', { preset: 'public_chat' })).room_id;
    joined = await hand.join(openRoomId, '@bob:remote.test');
    await hand.join(openRoomId, '@carl:remote.test');
    await world.ask(alice, 'PUT', `/rooms/${openRoomId}/state/m.room.third_party_invite/token`, { display_name: 'B…', public_keys: [{ public_key: encodeBase64(remote.key.publicKey) }] });
    made['join'] = await hand.template('join', openRoomId, '@dora:remote.test');
    made['leave'] = await hand.template('leave', openRoomId, '@carl:remote.test');
    knockRoomId = (await world.ask(alice, 'POST', '/createRoom', { initial_state: [{ type: 'm.room.join_rules', content: { join_rule: 'knock' } }] })).room_id;
    for (const name of ['House', 'House again']) spaceId = await newSpace(name, [openRoomId, closedRoomId, knockRoomId, '!unknown:a.test']);
    since = (await world.ask(alice, 'GET', '/publicRooms?limit=1')).next_batch;
    made['knock'] = await hand.template('knock', knockRoomId, '@dora:remote.test');
    made['message'] = hand.message(joined, 'hello');
    const place = { version: '11', roomId: '!elsewhere:remote.test', prevEvents: ['$' + 'a'.repeat(43)], authEvents: ['$' + 'b'.repeat(43)], depth: 5 };
    const draft = { type: 'm.room.member', sender: '@bob:remote.test', state_key: alice.userId, content: { membership: 'invite' } };
    // The schema wants the origin, which servers have long left out.
    const pdu = hashAndSignEvent({ ...hand.event(draft, place).pdu, origin: 'remote.test', signatures: {} }, roomVersion('11')!, 'remote.test', remote.key);
    const old = hashAndSignEvent({
      ...draft, origin: 'remote.test', event_id: '$a/b:remote.test', room_id: '!old:remote.test', prev_events: [], auth_events: [], depth: 5, origin_server_ts: Date.now(), signatures: {},
    }, roomVersion('1')!, 'remote.test', remote.key) as Pdu;
    made['oldInvite'] = { pdu: { ...old, unsigned: { invite_room_state: [] } }, eventId: '$a/b:remote.test', json: '' };
    made['invite'] = { pdu, eventId: eventIdOf(pdu, roomVersion('11')!), json: '' };
  });
  after(() => world.close());

  async function newRoom(visibility: string): Promise<string> {
    const initial_state = [{ type: 'm.room.history_visibility', state_key: '', content: { history_visibility: visibility } }];
    return (await world.ask(alice, 'POST', '/createRoom', { initial_state })).room_id;
  }

  async function newSpace(name: string, children: readonly string[]): Promise<string> {
    const initial_state = children.map((state_key, index) => ({ type: 'm.space.child', state_key, content: { via: [SERVER], suggested: index === 0 } }));
    return (await world.ask(alice, 'POST', '/createRoom', { name, preset: 'public_chat', visibility: 'public', creation_content: { type: 'm.space' }, initial_state })).room_id;
  }

  async function send(room: string): Promise<string> {
    return (await world.ask(alice, 'PUT', `/rooms/${room}/send/m.room.message/${Math.random()}`, { msgtype: 'm.text', body: 'hello' })).event_id;
  }

  const good: Record<string, () => Call> = {
    getServerKey: () => ({ method: 'GET', path: `${KEY}/server` }),
    perspectivesKeyQuery: () => ({ method: 'GET', path: `${KEY}/query/remote.test?minimum_valid_until_ts=1` }),
    bulkPerspectivesKeyQuery: () => ({ method: 'POST', path: `${KEY}/query`, body: { server_keys: { 'remote.test': { [remote.key.keyId]: { minimum_valid_until_ts: 1 } }, 'unknown.test': {}, [SERVER]: {} } } }),
    getPublicRooms: () => ({ method: 'GET', path: `${FEDERATION}/publicRooms?limit=1&since=${since}` }),
    queryPublicRooms: () => ({ method: 'POST', path: `${FEDERATION}/publicRooms?`, body: { limit: 1, since, filter: { generic_search_term: 'house', room_types: [null, 'm.space'] }, include_all_networks: true } }),
    getSpaceHierarchy: () => ({ method: 'GET', path: `${FEDERATION}/hierarchy/${spaceId}?suggested_only=false` }),
    exchangeOpenIdToken: () => ({ method: 'GET', path: `${FEDERATION}/openid/userinfo?access_token=${openidToken}` }),
    getVersion: () => ({ method: 'GET', path: `${FEDERATION}/version` }),
    getWellKnown: () => ({ method: 'GET', path: '/.well-known/matrix/server' }),
    queryRoomDirectory: () => ({ method: 'GET', path: `${FEDERATION}/query/directory?room_alias=${encodeURIComponent(`#tea:${SERVER}`)}` }),
    queryProfile: () => ({ method: 'GET', path: `${FEDERATION}/query/profile?user_id=${encodeURIComponent(alice.userId)}` }),
    queryUserEncryptionKeys: () => ({ method: 'POST', path: `${FEDERATION}/user/keys/query`, body: { device_keys: { [alice.userId]: [] } } }),
    claimUserEncryptionKeys: () => ({ method: 'POST', path: `${FEDERATION}/user/keys/claim`, body: { one_time_keys: { [alice.userId]: { [alice.deviceId]: 'signed_curve25519' } } } }),
    getUserDevices: () => ({ method: 'GET', path: `${FEDERATION}/user/devices/${alice.userId}` }),
    getEvent: () => ({ method: 'GET', path: `${FEDERATION}/event/${sent[0]}?` }),
    getRoomState: () => ({ method: 'GET', path: `${FEDERATION}/state/${roomId}?event_id=${sent[1]}` }),
    getRoomStateIds: () => ({ method: 'GET', path: `${FEDERATION}/state_ids/${roomId}?event_id=${sent[1]}` }),
    getEventAuth: () => ({ method: 'GET', path: `${FEDERATION}/event_auth/${roomId}/${sent[1]}?` }),
    getEventByTimestamp: () => ({ method: 'GET', path: `${FEDERATION}/timestamp_to_event/${roomId}?ts=0&dir=f` }),
    backfillRoom: () => ({ method: 'GET', path: `${FEDERATION}/backfill/${roomId}?v=${sent[3]}&limit=3` }),
    getMissingPreviousEvents: () => ({ method: 'POST', path: `${FEDERATION}/get_missing_events/${roomId}?`, body: { earliest_events: [sent[0]], latest_events: [sent[3]], limit: 10 } }),
    makeJoin: () => ({ method: 'GET', path: `${FEDERATION}/make_join/${openRoomId}/%40eve%3Aremote.test?ver=1&ver=12` }),
    makeKnock: () => ({ method: 'GET', path: `${FEDERATION}/make_knock/${knockRoomId}/%40eve%3Aremote.test?ver=1&ver=12` }),
    makeLeave: () => ({ method: 'GET', path: `${FEDERATION}/make_leave/${openRoomId}/%40bob%3Aremote.test?` }),
    sendJoinV2: () => ({ method: 'PUT', path: `${FEDERATION_V2}/send_join/${openRoomId}/${made['join']!.eventId}`, body: made['join']!.pdu }),
    sendJoinV1: () => ({ method: 'PUT', path: `${FEDERATION}/send_join/${openRoomId}/${made['join']!.eventId}`, body: made['join']!.pdu }),
    sendLeaveV1: () => ({ method: 'PUT', path: `${FEDERATION}/send_leave/${openRoomId}/${made['leave']!.eventId}`, body: made['leave']!.pdu }),
    sendInviteV1: () => ({ method: 'PUT', path: `${FEDERATION}/invite/!old:remote.test/${encodeURIComponent(made['oldInvite']!.eventId)}`, body: made['oldInvite']!.pdu }),
    sendKnock: () => ({ method: 'PUT', path: `${FEDERATION}/send_knock/${knockRoomId}/${made['knock']!.eventId}`, body: made['knock']!.pdu }),
    sendLeaveV2: () => ({ method: 'PUT', path: `${FEDERATION_V2}/send_leave/${openRoomId}/${made['leave']!.eventId}`, body: made['leave']!.pdu }),
    sendInviteV2: () => ({
      method: 'PUT', path: `${FEDERATION_V2}/invite/!elsewhere:remote.test/${made['invite']!.eventId}`, body: { room_version: '11', event: made['invite']!.pdu, invite_room_state: [] },
    }),
    exchangeThirdPartyInvite: () => ({
      method: 'PUT', path: `${FEDERATION}/exchange_third_party_invite/${openRoomId}`, body: thirdPartyEvent('@bob:remote.test'),
    }),
    onBindThirdPartyIdentifier: () => bound('PUT'),
    onBindThirdPartyIdentifierByPost: () => bound('POST'),
    sendTransaction: () => ({ method: 'PUT', path: `${FEDERATION}/send/t1`, body: { origin: 'remote.test', origin_server_ts: 1, pdus: [made['message']!.pdu], edus: [] } }),
  };

  /** What an identity server has signed for the pending invite of the open room. */
  function shown(mxid: string): Record<string, unknown> {
    return signJson({ mxid, token: 'token' }, remote.name, remote.key);
  }

  function thirdPartyEvent(mxid: string, more: Record<string, unknown> = {}): Record<string, unknown> {
    return { type: 'm.room.member', room_id: openRoomId, sender: alice.userId, state_key: mxid, content: { membership: 'invite', third_party_invite: { display_name: 'B…', signed: shown(mxid) } }, ...more };
  }

  function bound(method: 'PUT' | 'POST'): Call {
    return {
      method, path: `${FEDERATION}/3pid/onbind`,
      body: { medium: 'email', address: 'a@a.example', mxid: alice.userId, invites: [{ medium: 'email', address: 'a@a.example', mxid: alice.userId, room_id: openRoomId, sender: alice.userId, signed: shown(alice.userId) }] },
    };
  }

  function signed(call: Call, by: KeyServer = remote, destination = SERVER): Call {
    return { ...call, authorization: signRequest({ method: call.method, uri: call.path, origin: by.name, destination }, call.body === undefined ? undefined : JSON.stringify(call.body), by.key) };
  }

  async function answerTo(operationId: string, call: Call): Promise<Answer> {
    const answer = await world.call(call);
    const shown = `${call.method} ${call.path}: ${answer.status} ${JSON.stringify(answer.body)}`;
    const declared = operations.get(operationId)?.responses.get(answer.status);
    if (declared !== undefined) assert.equal(schemaProblem(declared, answer.body), '', shown);
    if (answer.status !== 200) assert.equal(schemaProblem(ERROR, answer.body), '', shown);
    return answer;
  }

  test('every route has its operation and a request that succeeds here', () => {
    const routes = world.routes.filter(({ role, path }) => role === 'federationapi' && !path.startsWith('/_synapse/'));
    assert.deepEqual(routes.map(({ operationId }) => operationId).sort(), Object.keys(good).sort());
    for (const route of routes) {
      // The spec does not describe them any more, and still names them ("Server Access Control Lists").
      if (route.operationId === 'sendJoinV1' || route.operationId === 'sendLeaveV1') continue;
      // Nor this form, which the identity server that people run uses.
      if (route.operationId === 'onBindThirdPartyIdentifierByPost') continue;
      const operation = operations.get(route.operationId);
      assert.deepEqual([route.method, route.path, route.raw === true], [operation?.method, operation?.path, operation?.needsToken]);
    }
  });

  for (const [operationId, request] of Object.entries(good)) {
    const needsSignature = operations.get(operationId)?.needsToken !== false && operationId !== 'onBindThirdPartyIdentifierByPost';
    test(`${operationId} answers a good request with what the schema says`, async () => {
      const answer = await answerTo(operationId, needsSignature ? signed(request()) : request());
      assert.equal(answer.status, 200, JSON.stringify(answer.body));
    });

    if (needsSignature) test(`${operationId} refuses who is not who they say, or not wanted`, async () => {
      const call = request();
      const forged = { ...remote, key: denied.key };
      const refused: Call[] = [
        call, { ...call, token: alice.token }, { ...call, authorization: 'X-Matrix nonsense' },
        signed(call, forged), signed(call, remote, 'elsewhere.test'), { ...signed({ ...call, path: `${call.path}&field=displayname` }), path: call.path },
        signed(call, { ...remote, name: 'nobody.test' }), signed(call, { ...remote, name: SERVER }),
      ];
      for (const one of refused) {
        const answer = await answerTo(operationId, one);
        assert.deepEqual([answer.status, answer.body.errcode], [401, 'M_UNAUTHORIZED'], JSON.stringify(one));
      }
      const answer = await answerTo(operationId, signed(call, denied));
      assert.deepEqual([answer.status, answer.body.errcode], [403, 'M_FORBIDDEN']);
      assert.ok(!servers.asked.some((line) => line.includes('denied.test')), 'a denied server is not asked for its keys');
    });
  }

  test('the own keys hold, and what it says as a notary too', async () => {
    const nowMs = Date.now();
    const own = parseServerKeys((await world.call(good['getServerKey']!())).body, { serverName: SERVER, fetchedAtMs: nowMs });
    assert.ok(own.validUntilMs > nowMs + 20 * 3_600_000);
    const { body } = await world.call(good['bulkPerspectivesKeyQuery']!());
    const told = parseNotaryResponse(body, { notary: SERVER, publicKeyOf: (keyId) => own.keys.get(keyId)?.publicKey, fetchedAtMs: nowMs });
    assert.deepEqual(told.map(({ serverName }) => serverName).sort(), ['remote.test', SERVER].sort());
    assert.deepEqual(told.find(({ serverName }) => serverName === 'remote.test')?.keys.get(remote.key.keyId)?.publicKey, remote.key.publicKey);
  });

  test('questions that are none are refused', async () => {
    const refused: Refused[] = [
      ['perspectivesKeyQuery', { method: 'GET', path: `${KEY}/query/no%20name` }, 400, 'M_INVALID_PARAM'],
      ['perspectivesKeyQuery', { method: 'GET', path: `${KEY}/query/remote.test?minimum_valid_until_ts=soon` }, 400, 'M_INVALID_PARAM'],
      ['bulkPerspectivesKeyQuery', { method: 'POST', path: `${KEY}/query`, body: { server_keys: [] } }, 400, 'M_BAD_JSON'],
      ['bulkPerspectivesKeyQuery', { method: 'POST', path: `${KEY}/query`, body: { server_keys: { 'remote.test': 1 } } }, 400, 'M_BAD_JSON'],
      ['exchangeOpenIdToken', { method: 'GET', path: `${FEDERATION}/openid/userinfo?access_token=none` }, 401, 'M_UNKNOWN_TOKEN'],
      ['exchangeOpenIdToken', { method: 'GET', path: `${FEDERATION}/openid/userinfo` }, 401, 'M_MISSING_TOKEN'],
      ['queryProfile', signed({ method: 'GET', path: `${FEDERATION}/query/profile` }), 400, 'M_MISSING_PARAM'],
      ...([
        [thirdPartyEvent('@bob:remote.test', { type: 'm.room.message' }), 400, 'M_BAD_JSON'], [thirdPartyEvent('@bob:remote.test', { content: { membership: 'invite' } }), 400, 'M_BAD_JSON'],
        [thirdPartyEvent('@bob:remote.test', { room_id: '!other:a.test' }), 400, 'M_INVALID_PARAM'], [thirdPartyEvent('@bob:remote.test', { state_key: '@carl:remote.test' }), 400, 'M_INVALID_PARAM'],
        [thirdPartyEvent('@bob:elsewhere.test'), 403, 'M_FORBIDDEN'], [thirdPartyEvent('@bob:remote.test', { sender: '@carl:remote.test' }), 403, 'M_FORBIDDEN'],
      ] as const).map(([body, status, errcode]): Refused => ['exchangeThirdPartyInvite', signed({ method: 'PUT', path: `${FEDERATION}/exchange_third_party_invite/${openRoomId}`, body }), status, errcode]),
      ['exchangeThirdPartyInvite', signed({ method: 'PUT', path: `${FEDERATION}/exchange_third_party_invite/!none:a.test`, body: thirdPartyEvent('@bob:remote.test', { room_id: '!none:a.test' }) }), 404, 'M_NOT_FOUND'],
      ['onBindThirdPartyIdentifier', { method: 'PUT', path: `${FEDERATION}/3pid/onbind`, body: { mxid: 'nobody', invites: [] } }, 400, 'M_BAD_JSON'],
      ['onBindThirdPartyIdentifier', { method: 'PUT', path: `${FEDERATION}/3pid/onbind`, body: { mxid: `@nobody:${SERVER}`, invites: [] } }, 404, 'M_NOT_FOUND'],
      ['onBindThirdPartyIdentifier', { method: 'PUT', path: `${FEDERATION}/3pid/onbind`, body: { mxid: alice.userId, invites: Array.from({ length: 51 }, () => ({})) } }, 413, 'M_TOO_LARGE'],
      ['queryRoomDirectory', signed({ method: 'GET', path: `${FEDERATION}/query/directory?room_alias=%23none:${SERVER}` }), 404, 'M_NOT_FOUND'],
      ['queryRoomDirectory', signed({ method: 'GET', path: `${FEDERATION}/query/directory?room_alias=%23tea:elsewhere.test` }), 400, 'M_INVALID_PARAM'],
      ['queryRoomDirectory', signed({ method: 'GET', path: `${FEDERATION}/query/directory` }), 400, 'M_MISSING_PARAM'],
      ...['limit=-1', 'since=rubbish', 'include_all_networks=maybe', 'include_all_networks=true&third_party_instance_id=irc'].map((query): Refused =>
        ['getPublicRooms', signed({ method: 'GET', path: `${FEDERATION}/publicRooms?${query}` }), 400, 'M_INVALID_PARAM']),
      ...[{ limit: 'all' }, { filter: 1 }, { filter: { room_types: 'm.space' } }, { filter: { generic_search_term: 1 } }].map((body): Refused =>
        ['queryPublicRooms', signed({ method: 'POST', path: `${FEDERATION}/publicRooms`, body }), 400, 'M_INVALID_PARAM']),
      ['getSpaceHierarchy', signed({ method: 'GET', path: `${FEDERATION}/hierarchy/${closedRoomId}` }), 404, 'M_NOT_FOUND'],
      ['getSpaceHierarchy', signed({ method: 'GET', path: `${FEDERATION}/hierarchy/!unknown:a.test` }), 404, 'M_NOT_FOUND'],
      ['getSpaceHierarchy', signed({ method: 'GET', path: `${FEDERATION}/hierarchy/${spaceId}?suggested_only=maybe` }), 400, 'M_INVALID_PARAM'],
      ['getEvent', signed({ method: 'GET', path: `${FEDERATION}/event/$none` }), 404, 'M_NOT_FOUND'],
      ['getRoomStateIds', signed({ method: 'GET', path: `${FEDERATION}/state_ids/${roomId}` }), 400, 'M_MISSING_PARAM'],
      ['getEventByTimestamp', signed({ method: 'GET', path: `${FEDERATION}/timestamp_to_event/${roomId}?ts=0&dir=b` }), 403, 'M_FORBIDDEN'],
      ['getEventByTimestamp', signed({ method: 'GET', path: `${FEDERATION}/timestamp_to_event/${roomId}?ts=soon&dir=f` }), 400, 'M_INVALID_PARAM'],
      ['backfillRoom', signed({ method: 'GET', path: `${FEDERATION}/backfill/${roomId}?v=${sent[0]}` }), 400, 'M_MISSING_PARAM'],
      ['backfillRoom', signed({ method: 'GET', path: `${FEDERATION}/backfill/${roomId}?v=${sent[0]}&limit=many` }), 400, 'M_INVALID_PARAM'],
      ...[{ earliest_events: [] }, { latest_events: [1], earliest_events: [] }, { latest_events: [], earliest_events: [], limit: -1 }, { latest_events: [], earliest_events: [], min_depth: 'a' }].map((body): Refused =>
        ['getMissingPreviousEvents', signed({ method: 'POST', path: `${FEDERATION}/get_missing_events/${roomId}`, body }), 400, 'M_BAD_JSON']),
      ['makeJoin', signed({ method: 'GET', path: `${FEDERATION}/make_join/${openRoomId}/%40eve%3Aremote.test` }), 400, 'M_INCOMPATIBLE_ROOM_VERSION'],
      ['makeJoin', signed({ method: 'GET', path: `${FEDERATION}/make_join/!unknown:a.test/%40eve%3Aremote.test?ver=12` }), 404, 'M_NOT_FOUND'],
      ['makeJoin', signed({ method: 'GET', path: `${FEDERATION}/make_join/${openRoomId}/nobody?ver=12` }), 400, 'M_INVALID_PARAM'],
      ['makeJoin', signed({ method: 'GET', path: `${FEDERATION}/make_join/${openRoomId}/%40eve%3Aelsewhere.test?ver=12` }), 403, 'M_FORBIDDEN'],
      ['makeJoin', signed({ method: 'GET', path: `${FEDERATION}/make_join/${closedRoomId}/%40eve%3Aremote.test?ver=12` }), 403, 'M_FORBIDDEN'],
      ['makeLeave', signed({ method: 'GET', path: `${FEDERATION}/make_leave/${openRoomId}/%40nobody%3Aremote.test` }), 403, 'M_FORBIDDEN'],
      ['makeLeave', signed({ method: 'GET', path: `${FEDERATION}/make_leave/!unknown:a.test/%40eve%3Aremote.test` }), 404, 'M_NOT_FOUND'],
      ['sendJoinV2', signed({ ...good['sendJoinV2']!(), path: `${FEDERATION_V2}/send_join/!unknown:a.test/${made['join']!.eventId}` }), 404, 'M_NOT_FOUND'],
      ['sendJoinV2', signed({ ...good['sendJoinV2']!(), path: `${FEDERATION_V2}/send_join/${closedRoomId}/${made['join']!.eventId}` }), 400, 'M_INVALID_PARAM'],
      ['sendJoinV2', signed({ ...good['sendJoinV2']!(), path: `${FEDERATION_V2}/send_join/${openRoomId}/$other` }), 400, 'M_INVALID_PARAM'],
      ...[{}, made['leave']!.pdu, { ...made['join']!.pdu, depth: 1 }, { ...made['join']!.pdu, signatures: {} }].map((body): Refused => ['sendJoinV2', signed({ ...good['sendJoinV2']!(), body }), 400, 'M_INVALID_PARAM']),
      ['sendLeaveV2', signed({ ...good['sendLeaveV2']!(), body: made['join']!.pdu }), 400, 'M_INVALID_PARAM'],
      ...([[{ room_version: '11' }, 'M_MISSING_PARAM'], [{ room_version: '99', event: made['invite']!.pdu }, 'M_INCOMPATIBLE_ROOM_VERSION'], [{ room_version: '11', event: {} }, 'M_INVALID_PARAM'],
        [{ room_version: '11', event: made['join']!.pdu }, 'M_INVALID_PARAM'], [{ room_version: '11', event: made['invite']!.pdu, invite_room_state: {} }, 'M_BAD_JSON']] as const)
        .map(([body, errcode]): Refused => ['sendInviteV2', signed({ ...good['sendInviteV2']!(), body }), 400, errcode]),
      ...[{}, { pdus: {} }, { pdus: Array<number>(51).fill(1) }, { pdus: [], edus: Array<number>(101).fill(1) }].map((body): Refused =>
        ['sendTransaction', signed({ method: 'PUT', path: `${FEDERATION}/send/bad`, body }), 400, 'M_BAD_JSON']),
      ['queryProfile', signed({ method: 'GET', path: `${FEDERATION}/query/profile?user_id=%40a%3Aelsewhere.test` }), 400, 'M_INVALID_PARAM'],
      ['queryProfile', signed({ method: 'GET', path: `${FEDERATION}/query/profile?user_id=%40nobody%3A${SERVER}` }), 404, 'M_NOT_FOUND'],
    ];
    for (const [operationId, call, status, errcode] of refused) {
      const answer = await answerTo(operationId, call);
      assert.deepEqual([answer.status, answer.body.errcode], [status, errcode], call.path);
    }
  });

  test('what a room has sent comes as it is, in its order, with the state and auth chain that belong to it', async () => {
    const ask = async (operationId: string) => (await world.call(signed(good[operationId]!()))).body;
    const idsOf = (pdus: Pdu[]) => pdus.map((pdu) => eventIdOf(pdu, roomVersion('12')!));
    assert.deepEqual(idsOf((await ask('getEvent')).pdus), [sent[0]]);
    assert.deepEqual(idsOf((await ask('backfillRoom')).pdus), [sent[3], sent[2], sent[1]]);
    assert.deepEqual(idsOf((await ask('getMissingPreviousEvents')).events), [sent[1], sent[2]]);
    const [state, ids, auth] = [await ask('getRoomState'), await ask('getRoomStateIds'), await ask('getEventAuth')];
    assert.deepEqual(idsOf(state.pdus).sort(), [...ids.pdu_ids].sort());
    assert.deepEqual(idsOf(state.auth_chain).sort(), [...ids.auth_chain_ids].sort());
    assert.ok(state.pdus.some((pdu: Pdu) => pdu.type === 'm.room.history_visibility'));
    assert.ok(idsOf(auth.auth_chain).every((id) => ids.pdu_ids.includes(id) || ids.auth_chain_ids.includes(id)));
  });

  test('a room where a server has nobody is closed to it, and one that shuts it out too', async () => {
    const inside = await send(closedRoomId);
    const closed = (room: string, event: string): Call[] => [
      { method: 'GET', path: `${FEDERATION}/event/${event}` }, { method: 'GET', path: `${FEDERATION}/state/${room}?event_id=${event}` },
      { method: 'GET', path: `${FEDERATION}/state_ids/${room}?event_id=${event}` }, { method: 'GET', path: `${FEDERATION}/event_auth/${room}/${event}` },
      { method: 'GET', path: `${FEDERATION}/backfill/${room}?v=${event}&limit=3` },
      { method: 'POST', path: `${FEDERATION}/get_missing_events/${room}`, body: { earliest_events: [], latest_events: [event] } },
      { method: 'POST', path: `${FEDERATION}/get_missing_events/${room}`, body: { earliest_events: [], latest_events: [] } },
    ];
    const shut = await newRoom('world_readable');
    await world.ask(alice, 'PUT', `/rooms/${shut}/state/m.room.server_acl`, { allow: ['*'], deny: ['remote.*'] });
    const calls = [...closed(closedRoomId, inside), ...closed(shut, await send(shut)), ...closed('!unknown:a.test', inside).slice(1), ...closed(roomId, inside).slice(1)];
    for (const call of calls) {
      const { status, body } = await world.call(signed(call));
      assert.deepEqual([status, body.errcode], [403, 'M_FORBIDDEN'], call.path);
    }
  });

  test('of the rooms in a space, a server is told of those that it may know of', async () => {
    const told = async (query: string) => (await world.call(signed({ method: 'GET', path: `${FEDERATION}/hierarchy/${spaceId}?${query}` }))).body;
    const all = await told('');
    assert.deepEqual(all.children.map(({ room_id }: { room_id: string }) => room_id).sort(), [openRoomId, knockRoomId].sort());
    assert.deepEqual([all.inaccessible_children, all.room.children_state.length], [[closedRoomId], 4]);
    const suggested = await told('suggested_only=true');
    assert.deepEqual([suggested.children.length, suggested.inaccessible_children, suggested.room.children_state.length], [1, [], 1]);
  });

  test('of a profile only the field that is asked for is told', async () => {
    const { path } = good['queryProfile']!();
    assert.deepEqual((await world.call(signed({ method: 'GET', path: `${path}&field=displayname` }))).body, { displayname: 'Alice' });
    assert.deepEqual((await world.call(signed({ method: 'GET', path: `${path}&field=avatar_url` }))).body, {});
  });
});

test('without a name to delegate to, /.well-known/matrix/server is not there', async () => {
  const world = await createWorld();
  const { status, body } = await world.call({ method: 'GET', path: '/.well-known/matrix/server' });
  await world.close();
  assert.deepEqual([status, body.errcode], [404, 'M_NOT_FOUND']);
});
