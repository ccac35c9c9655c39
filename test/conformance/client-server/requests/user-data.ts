/** Account data, filters, profiles, push rules. */
import { of, type GoodRequests } from './making.ts';

const EVENT_FILTER = { limit: 5, senders: ['@alice:spec.example'], not_senders: ['@eve:spec.example'], types: ['m.room.*'], not_types: ['m.sticker'] };
const ROOM_EVENT_FILTER = {
  ...EVENT_FILTER, rooms: ['!a:spec.example'], not_rooms: ['!b:spec.example'], contains_url: false, lazy_load_members: true, include_redundant_members: false,
  unread_thread_notifications: true,
};
const FILTER = {
  event_fields: ['content'], event_format: 'client', presence: EVENT_FILTER, account_data: EVENT_FILTER,
  room: {
    rooms: ['!a:spec.example'], not_rooms: ['!b:spec.example'], include_leave: false, ephemeral: ROOM_EVENT_FILTER, state: ROOM_EVENT_FILTER, timeline: ROOM_EVENT_FILTER,
    account_data: ROOM_EVENT_FILTER,
  },
};

export const USER_DATA_REQUESTS: GoodRequests = {
  setAccountData: (s) => of(s, 'PUT', `/user/${s.alice.userId}/account_data/org.example.note`, { note: 1 }),
  getAccountData: (s) => of(s, 'GET', `/user/${s.alice.userId}/account_data/org.example.note`),
  setAccountDataPerRoom: (s) => of(s, 'PUT', `/user/${s.alice.userId}/rooms/${s.roomId}/account_data/org.example.note`, { note: 2 }),
  getAccountDataPerRoom: (s) => of(s, 'GET', `/user/${s.alice.userId}/rooms/${s.roomId}/account_data/org.example.note`),
  defineFilter: (s) => of(s, 'POST', `/user/${s.alice.userId}/filter`, FILTER),
  getFilter: (s) => of(s, 'GET', `/user/${s.alice.userId}/filter/${s.filterId}`),
  setProfileField: (s) => of(s, 'PUT', `/profile/${s.alice.userId}/displayname`, { displayname: 'Alice' }),
  getProfileField: (s) => of(s, 'GET', `/profile/${s.alice.userId}/displayname`),
  deleteProfileField: (s) => of(s, 'DELETE', `/profile/${s.alice.userId}/org.example.tea`),
  getUserProfile: (s) => of(s, 'GET', `/profile/${s.alice.userId}`),
  getPushRules: (s) => of(s, 'GET', '/pushrules/'),
  getPushRulesGlobal: (s) => of(s, 'GET', '/pushrules/global/'),
  getPushRule: (s) => of(s, 'GET', '/pushrules/global/override/.m.rule.master'),
  isPushRuleEnabled: (s) => of(s, 'GET', '/pushrules/global/override/.m.rule.master/enabled'),
  getPushRuleActions: (s) => of(s, 'GET', '/pushrules/global/override/.m.rule.master/actions'),
  setPushRule: (s) => of(s, 'PUT', '/pushrules/global/override/org.example.tea', { actions: ['notify', { set_tweak: 'highlight' }], conditions: [{ kind: 'event_match', key: 'content.body', pattern: 'tea', is: '2', value: 'x' }], pattern: 'tea' }),
  deletePushRule: async (s) => {
    const path = '/pushrules/global/content/gone';
    await s.world.ask(s.alice, 'PUT', path, { actions: ['notify'], pattern: 'cake' });
    return of(s, 'DELETE', path);
  },
  setPushRuleEnabled: (s) => of(s, 'PUT', '/pushrules/global/underride/.m.rule.call/enabled', { enabled: false }),
  setPushRuleActions: (s) => of(s, 'PUT', '/pushrules/global/underride/.m.rule.call/actions', { actions: ['notify'] }),
};
