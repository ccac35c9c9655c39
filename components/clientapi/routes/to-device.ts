import { createHash } from 'node:crypto';
import * as z from 'zod';
import { cutJson } from '../../../pkg/http/cut-json.ts';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { isJsonObject, parseJson } from '../../../pkg/http/json.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { partitionOf } from '../../../pkg/log/partition-map.ts';
import { canonicalJson, CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';
import { domainOf } from '../../../pkg/matrix/ids/domain-of.ts';
import { batchMessages, type DeviceMessage } from '../../../pkg/matrix/to-device/batch-messages.ts';
import type { Requester } from '../../../schemas/ports/user-query.ts';
import { jsonObject, parseBody } from '../checks/body.ts';
import { contentBytes } from '../checks/event-content.ts';
import { requireEventField, requireUserId } from '../checks/identifiers.ts';
import type { Context } from '../context.ts';
import { inputIdOf } from '../outcome/input-id.ts';
import { submitUserCommand, type UserCommand } from '../outcome/submit.ts';
import { CLIENT_V3, EMPTY, limitedRequester, type RouteSpec } from './client-route.ts';

/** The keys of a room for thousands of devices. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;
/** Of one message, as of an event. */
const CONTENT_BYTES_MAX = 65_536;
/** Of the messages in one EDU for another server; one message may go beyond it. */
const EDU_BYTES_MAX = 48 * 1024;
/** Of what stands in one input for other servers. */
const LEAVING_BYTES_MAX = 192 * 1024;
/** In characters, of the spec. */
const MESSAGE_ID_LENGTH = 32;

/** Of the objects around a message: the body, its `messages`, a user. */
const DEPTH_OF_CONTENT = 3;
const BRACE = 0x7b;

const messagesBody = z.looseObject({ messages: jsonObject });

/** For another server. */
interface LeavingMessage extends DeviceMessage {
  readonly content: string;
}

interface Sending {
  readonly requester: Requester;
  readonly type: string;
  /** Of the request: the inputs that it becomes have IDs made of it. */
  readonly inputId: string;
}

/** PUT /_matrix/client/v3/sendToDevice/{eventType}/{txnId} — r0 */
export async function sendToDevice(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const requester = await limitedRequester(context, request, 'encryption');
  const type = requireEventField(request.params['eventType'] ?? '', 'event type');
  if (!type.isWellFormed()) throw new MatrixError(400, 'M_INVALID_PARAM', 'The event type is no text');
  const { rest, cut } = cutJson(request.body as Uint8Array, DEPTH_OF_CONTENT);
  const { messages } = parseBody(messagesBody, rest);
  const sending: Sending = { requester, type, inputId: inputIdOf(requester, request) };
  const here: DeviceMessage[] = [];
  const elsewhere: LeavingMessage[] = [];
  for (const [userId, devices] of Object.entries(messages)) {
    if (!isJsonObject(devices)) throw new MatrixError(400, 'M_BAD_JSON', 'The messages of a user are an object');
    const isHere = domainOf(requireUserId(userId)) === context.serverName;
    for (const [deviceId, value] of Object.entries(devices)) {
      const content = contentAt(cut, value);
      if (isHere) here.push({ userId, deviceId, content });
      else elsewhere.push({ userId, deviceId, content: remoteContent(content) });
    }
  }
  const commands = [...localCommands(context, sending, here), ...remoteCommands(sending, elsewhere)];
  await Promise.all(commands.map((command) => submitUserCommand(context, request, command)));
  return EMPTY;
}

/** The bytes of an object that was cut out, as the client has sent them: nobody here looks into them. */
function contentAt(cut: readonly Uint8Array[], value: unknown): Uint8Array {
  const content = Array.isArray(value) ? cut[value[0] as number]! : undefined;
  if (content?.[0] !== BRACE) throw new MatrixError(400, 'M_BAD_JSON', 'A message is an object');
  if (content.length > CONTENT_BYTES_MAX) throw new MatrixError(413, 'M_TOO_LARGE', `A message has at most ${CONTENT_BYTES_MAX} bytes`);
  return content;
}

/** What is sent between servers is signed: it must be what canonical JSON can hold. */
function remoteContent(content: Uint8Array): string {
  return Buffer.from(contentBytes(parseJson(content) as Record<string, unknown>)).toString('utf8');
}

/** An input for each partition of users, or a few. */
function localCommands({ partitionMap }: Context, { requester, type, inputId }: Sending, messages: readonly DeviceMessage[]): UserCommand[] {
  return batchMessages(messages, (userId) => partitionOf(partitionMap, userId)).map(({ partition, number, userId, targets, contents }) => (
    { userId, inputId: `${inputId}.${partition}.${number}`, sendToDevice: { sender: requester.userId, type, targets, contents } }));
}

/** Inputs of the sender, with an EDU for each server, or a few. */
function remoteCommands({ requester, type, inputId }: Sending, messages: readonly LeavingMessage[]): UserCommand[] {
  const edus = [...Map.groupBy(messages, ({ userId }) => domainOf(userId))].flatMap(([serverName, ofServer]) => slices(ofServer, EDU_BYTES_MAX, ({ content }) => content.length).map((slice, number) => ({
    serverName, messageId: messageIdOf([inputId, serverName, number]), messages: Buffer.from(messagesText(slice)),
  })));
  return slices(edus, LEAVING_BYTES_MAX, (edu) => edu.messages.length).map((servers, number) => ({ userId: requester.userId, inputId: `${inputId}.out.${number}`, sendToServers: { type, servers } }));
}

function messageIdOf(parts: readonly (string | number)[]): string {
  return createHash('sha256').update(JSON.stringify(parts)).digest('base64url').slice(0, MESSAGE_ID_LENGTH);
}

/** Canonical JSON, which is what will be signed. */
function messagesText(messages: readonly LeavingMessage[]): string {
  const users = [...Map.groupBy(messages, ({ userId }) => userId)];
  const devicesOf = (devices: readonly LeavingMessage[]): object => Object.fromEntries(devices.map(({ deviceId, content }) => [deviceId, JSON.parse(content) as unknown]));
  try {
    return canonicalJson(Object.fromEntries(users.map(([userId, devices]) => [userId, devicesOf(devices)])));
  } catch (error) {
    if (error instanceof CanonicalJsonError) throw new MatrixError(400, 'M_BAD_JSON', `A message cannot hold this: ${error.message}`);
    throw error;
  }
}

/** The list in its order, in slices of so many bytes or a little more. */
function slices<Item>(items: readonly Item[], bytesMax: number, bytesOf: (item: Item) => number): Item[][] {
  const result: Item[][] = [];
  let bytes = bytesMax;
  for (const item of items) {
    if (bytes >= bytesMax) {
      result.push([]);
      bytes = 0;
    }
    result.at(-1)!.push(item);
    bytes += bytesOf(item);
  }
  return result;
}

export const toDeviceRoutes: readonly RouteSpec[] = [
  { handler: sendToDevice, method: 'PUT', path: `${CLIENT_V3}/sendToDevice/{eventType}/{txnId}`, guests: true, idempotent: true, body: 'json-bytes', bodyBytesMax: BODY_BYTES_MAX },
];
