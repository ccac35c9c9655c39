/**
 * For each operation a request that succeeds, its body with every property that the spec's schema names and this server can take. They stand in `requests/`, by the areas of the
 * spec: an operation is added there.
 */
import { ACCOUNT_REQUESTS } from './requests/accounts.ts';
import { ACCOUNT_LIFE_REQUESTS } from './requests/account-lives.ts';
import { DEVICE_MESSAGE_REQUESTS } from './requests/device-messages.ts';
import { DIRECTORY_REQUESTS } from './requests/directory.ts';
import { DISCOVERY_REQUESTS } from './requests/discovery.ts';
import { KEY_REQUESTS } from './requests/keys.ts';
import type { GoodRequests } from './requests/making.ts';
import { MEMBERSHIP_REQUESTS } from './requests/membership.ts';
import { READING_REQUESTS } from './requests/reading.ts';
import { RELATION_REQUESTS } from './requests/relations.ts';
import { ROOM_REQUESTS } from './requests/rooms.ts';
import { USER_DATA_REQUESTS } from './requests/user-data.ts';

export const GOOD_REQUESTS: GoodRequests = {
  ...ACCOUNT_REQUESTS,
  ...ACCOUNT_LIFE_REQUESTS,
  ...DEVICE_MESSAGE_REQUESTS,
  ...DIRECTORY_REQUESTS,
  ...DISCOVERY_REQUESTS,
  ...KEY_REQUESTS,
  ...MEMBERSHIP_REQUESTS,
  ...READING_REQUESTS,
  ...RELATION_REQUESTS,
  ...ROOM_REQUESTS,
  ...USER_DATA_REQUESTS,
};
