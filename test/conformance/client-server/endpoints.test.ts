/** Every operation of the spec's table is served, authenticated, limited, open to guests and reached by browsers and old clients as it should be, or stands in the list of what is not there yet. */
import assert from 'node:assert/strict';
import { after, before, describe, test } from 'node:test';
import { LIMIT_CLASSES } from '../../../schemas/config/rate-limits.ts';
import { answerTo, GOOD_STATUS } from './answers.ts';
import { clientEndpoints, endpointsMissing } from './endpoints.ts';
import { GOOD_REQUESTS } from './good-requests.ts';
import { AREA_FILES, NOT_YET, SERVED_ELSEWHERE, type Area } from './not-yet.ts';
import { createScene, type Scene } from './scene.ts';

const ENDPOINTS = clientEndpoints();
const SERVED = ENDPOINTS.filter(({ operationId }) => operationId in GOOD_REQUESTS);
const WAITING = Object.entries(NOT_YET).flatMap(([area, operationIds]) => operationIds.map((operationId) => ({ area: area as Area, operationId })));

/** What guests may use (Client-Server API, "Guest Access"); and what is the same as one of these under another path. Those that need no token are for everybody. */
const FOR_GUESTS = new Set([
  'getRoomState', 'getEventContext', 'getOneRoomEvent', 'getRoomStateWithKey', 'getRoomEvents', 'getMembersByRoom', 'roomInitialSync', 'sync', 'getEvents', 'peekEvents',
  'getContentAuthed', 'getContentOverrideNameAuthed', 'getContentThumbnailAuthed', 'joinRoomById', 'joinRoom', 'leaveRoom', 'sendMessage', 'setRoomStateWithKey', 'sendToDevice',
  'getPublicRooms', 'getRoomSummary', 'setProfileField', 'deleteProfileField', 'getDevices', 'getDevice', 'updateDevice', 'getTokenOwner', 'uploadKeys', 'queryKeys', 'claimKeys',
]);

/** One limit for all classes, which a test can close and open. */
const limit = { perSecond: 1e9, burst: 1e9 };
const SETTINGS = { rateLimits: true, classLimits: Object.fromEntries(LIMIT_CLASSES.map((name) => [name, limit])) };

describe("the table of the Client-Server API's endpoints", { skip: endpointsMissing }, () => {
  let scene: Scene;
  before(async () => void (scene = await createScene(SETTINGS)));
  after(() => scene.world.close());

  test('every operation is served or waits for something', () => {
    const listed = new Set([...WAITING.map(({ operationId }) => operationId), ...SERVED_ELSEWHERE]);
    assert.deepEqual(ENDPOINTS.filter(({ operationId }) => !(operationId in GOOD_REQUESTS) && !listed.has(operationId)).map(({ operationId }) => operationId), []);
  });

  test('what waits is of an area that comes later, and is not there yet', () => {
    const fileOf = new Map(ENDPOINTS.map(({ operationId, specFile }) => [operationId, specFile]));
    const wrong = WAITING.filter(({ area, operationId }) => operationId in GOOD_REQUESTS || !(AREA_FILES[area] as readonly string[]).includes(fileOf.get(operationId) ?? ''));
    assert.deepEqual(wrong, []);
    const isOfContacts = /3pid|requestToken/i;
    assert.deepEqual(NOT_YET['e-mail addresses and phone numbers'].filter((operationId) => !isOfContacts.test(operationId)), []);
    assert.deepEqual(SERVED_ELSEWHERE, ['getWellknownPolicy']);
  });

  for (const { operationId, method, path, auth, isRateLimited, isNewerThanR0 } of SERVED) {
    const goodCall = () => GOOD_REQUESTS[operationId]!(scene);
    describe(operationId, () => {
      test(`asks for a token: ${auth}`, async () => {
        const { body, status } = await answerTo(scene.world, operationId, { ...(await goodCall()), token: undefined });
        const isRefused = status === 401 && body.errcode === 'M_MISSING_TOKEN';
        assert.equal(isRefused, ['access_token', 'as_token'].includes(auth), JSON.stringify(body));
      });

      if (isRateLimited) test('is limited', async () => {
        const call = await goodCall();
        limit.burst = 0;
        try {
          const answer = await answerTo(scene.world, operationId, call);
          assert.deepEqual([answer.status, answer.body.errcode], [429, 'M_LIMIT_EXCEEDED']);
          assert.match(answer.headers['retry-after'] ?? '', /^[1-9]\d*$/);
        } finally {
          limit.burst = 1e9;
        }
        assert.equal((await answerTo(scene.world, operationId, call)).status, GOOD_STATUS[operationId] ?? 200);
      });

      test('answers browsers, and who asks in a wrong way', async () => {
        const { path: asked } = await goodCall();
        const preflight = await scene.world.call({ method: 'OPTIONS', path: asked });
        assert.deepEqual([preflight.status, preflight.headers['access-control-allow-origin']], [200, '*']);
        assert.match(preflight.headers['access-control-allow-methods'] ?? '', new RegExp(`\\b${method}\\b`));
        assert.match(preflight.headers['access-control-allow-headers'] ?? '', /Authorization/);
        const wrong = await answerTo(scene.world, operationId, { method: 'PATCH', path: asked });
        assert.deepEqual([wrong.status, wrong.body.errcode], [405, 'M_UNRECOGNIZED']);
      });

      if (!isNewerThanR0) test('is there for clients that ask for r0', async () => {
        const call = await goodCall();
        const answer = await answerTo(scene.world, operationId, { ...call, path: call.path.replace('/v3/', '/r0/') });
        assert.equal(answer.status, GOOD_STATUS[operationId] ?? 200, JSON.stringify(answer.body));
      });

      // Guests may use what needs no token as everybody may.
      if (['access_token', 'as_token'].includes(auth)) test(FOR_GUESTS.has(operationId) ? 'is for guests' : 'is not for guests', () => {
        const route = scene.world.routes.find((one) => one.method === method && one.path === path);
        assert.equal(route?.guests !== undefined && route.guests !== false, FOR_GUESTS.has(operationId));
      });
    });
  }
});
