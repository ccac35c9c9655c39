/** PURE. Messages for devices (Client-Server API, "Send-to-Device messaging"): they wait for their device until it has them. */
import { PoisonRecord } from '../../../pkg/log/log.ts';
import type { SendToDevice, UserInput } from '../../../schemas/log/user-input.ts';
import { accepted, type Draft, type Verdict } from '../input/draft.ts';
import type { DeviceMessage } from './to-device-writes.ts';

/** Stands for all devices of a user. */
export const ALL_DEVICES = '*';

/** Users and devices that there are not are passed over: the sender is not told. */
export function decideSendToDevice(draft: Draft, { sender, type, targets, contents }: SendToDevice): Verdict {
  const messages = new Map<string, DeviceMessage>();
  // A device that is named has its own message, and not the one for all devices.
  const named = targets.filter(({ deviceId }) => deviceId !== ALL_DEVICES);
  const others = targets.filter(({ deviceId }) => deviceId === ALL_DEVICES);
  for (const { userId, deviceId, content: event } of [...named, ...others]) {
    if (event < 0 || event >= contents.length) throw new PoisonRecord('a message without content');
    const picture = draft.userOf(userId);
    if (picture?.account === undefined || picture.account.deactivated) continue;
    for (const id of deviceId === ALL_DEVICES ? picture.devices.keys() : [deviceId]) {
      const key = `${userId}\0${id}`;
      if (picture.devices.has(id) && !messages.has(key)) messages.set(key, { userId, deviceId: id, event });
    }
  }
  if (messages.size === 0) return accepted(draft);
  const sequence = draft.emit({ toDeviceArrived: { userIds: [...new Set([...messages.values()].map(({ userId }) => userId))] } });
  const [head, tail] = aroundContent(sender, type);
  const events = contents.map((content) => Buffer.concat([head, content, tail]));
  draft.writes.push({ kind: 'to-device', sequence, events, messages: [...messages.values()] });
  return accepted(draft);
}

/** undefined: it is about something else. */
export function decideOfMessages(draft: Draft): Verdict | undefined {
  const { ackToDevice, sendToServers } = draft.input;
  if (ackToDevice) return decideAckToDevice(draft, ackToDevice);
  return sendToServers ? decideSendToServers(draft, sendToServers) : undefined;
}

/** The device has what came up to there. What came since stays, whatever number a client makes up. */
function decideAckToDevice(draft: Draft, { deviceId, sequence }: NonNullable<UserInput['ackToDevice']>): Verdict {
  draft.writes.push({ kind: 'to-device-gone', deviceId, sequence });
  return accepted(draft);
}

/** They leave by the output log: whoever sends them has them from there. */
function decideSendToServers(draft: Draft, { type, servers }: NonNullable<UserInput['sendToServers']>): Verdict {
  const messages = servers.map(({ serverName, messageId, messages: bodies }) => {
    const head = `{"message_id":${JSON.stringify(messageId)},"messages":`;
    const tail = `,"sender":${JSON.stringify(draft.input.userId)},"type":${JSON.stringify(type)}}`;
    return { destination: serverName, content: Buffer.concat([Buffer.from(head), bodies, Buffer.from(tail)]) };
  });
  if (messages.length > 0) draft.emit({ toDeviceLeaving: { messages } });
  return accepted(draft);
}

/** What stands before and behind the content in the JSON text of an event. */
function aroundContent(sender: string, type: string): [Buffer, Buffer] {
  return [Buffer.from('{"content":'), Buffer.from(`,"sender":${JSON.stringify(sender)},"type":${JSON.stringify(type)}}`)];
}
