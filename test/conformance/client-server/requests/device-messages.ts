/** Messages to devices. */
import { of, type GoodRequests } from './making.ts';

export const DEVICE_MESSAGE_REQUESTS: GoodRequests = {
  sendToDevice: (s) => of(s, 'PUT', `/sendToDevice/m.new_device/${s.next()}`, { messages: { [s.alice.userId]: { TLLBEANAAG: { example_content_key: 'value' }, '*': { example_content_key: 'value' } } } }),
};
