/**
 * One record of every kind as it was first written, in hexadecimal. Brokers, outboxes and backups hold such bytes: a line here never
 * changes and is never removed; a new field or kind gets a new entry. `golden-records.test.ts` says what must hold for them.
 */
import type { Applied, Outcome, Outcomes, OutputEnvelope, TypingNow } from '../../schemas/log/envelope.ts';
import type { InputHeader, RoomInput } from '../../schemas/log/room-input.ts';
import type { RoomOutput } from '../../schemas/log/room-output.ts';
import type { UserInput } from '../../schemas/log/user-input.ts';
import type { UserOutput } from '../../schemas/log/user-output.ts';

export interface GoldenRecord<T = object> {
  readonly name: string;
  /** `<file of schemas/log>/<message>` */
  readonly message: string;
  readonly value: T;
  readonly hex: string;
}

const bytes = (text: string): Uint8Array => new TextEncoder().encode(text);
const HEADER: InputHeader = { inputId: 'in-1', replyTo: 'reply.a', deadlineMs: 1_790_000_030_000, traceId: 'trace-1' };
const ROOM = { ...HEADER, originServerTs: 1_790_000_000_000, roomId: '!room:a.example' };
const USER = { ...HEADER, ts: 1_790_000_000_000, userId: '@alice:a.example' };
const ROOM_OUT = { roomId: '!room:a.example', roomVersion: '12', inputId: 'in-1', traceId: 'trace-1' };
const USER_OUT = { userId: '@alice:a.example', inputId: 'in-1', traceId: 'trace-1' };
const DEVICE = { deviceId: 'DEVICE', tokenHash: new Uint8Array([1, 2, 254, 255]), displayName: 'Phone' };
const REFRESHED_DEVICE = { ...DEVICE, expiresMs: 1_790_000_300_000, familyHash: new Uint8Array([5, 6]), refreshHash: new Uint8Array([7, 8]), refreshExpiresMs: 1_790_900_000_000, ip: '203.0.113.7' };

const roomInput = (name: string, value: RoomInput, hex: string): GoldenRecord => ({ name, message: 'room-input/RoomInput', value, hex });
const roomOutput = (name: string, value: RoomOutput, hex: string): GoldenRecord => ({ name, message: 'room-output/RoomOutput', value, hex });
const userInput = (name: string, value: UserInput, hex: string): GoldenRecord => ({ name, message: 'user-input/UserInput', value, hex });
const userOutput = (name: string, value: UserOutput, hex: string): GoldenRecord => ({ name, message: 'user-output/UserOutput', value, hex });
const envelope = (message: string, value: OutputEnvelope | Outcome | Outcomes | Applied | TypingNow, hex: string): GoldenRecord =>
  ({ name: message, message: `envelope/${message}`, value, hex });

export const GOLDEN_RECORDS: readonly GoldenRecord[] = [
  roomInput('create a room', { ...ROOM, createRoom: {
    roomVersion: '12', sender: '@alice:a.example', createEvent: bytes('{"type":"m.room.create"}'),
    events: [
      { type: 'm.room.member', stateKey: '@alice:a.example', content: bytes('{"membership":"join"}') },
      { type: 'm.room.name', stateKey: '', content: bytes('{"name":"Caf\u00e9"}') },
    ],
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65528d010a023132121040616c6963653a612e6578616d706c651a187b2274797065223a226d2e726f6f6d2e637265617465227d22380a0d6d2e726f6f6d2e6d656d626572121040616c6963653a612e6578616d706c651a157b226d656d62657273686970223a226a6f696e227d22210a0b6d2e726f6f6d2e6e616d6512001a107b226e616d65223a22436166c3a9227d'),
  roomInput('send an event', { ...ROOM, sendEvent: {
    sender: '@alice:a.example', deviceId: 'DEVICE', txnId: 'm1', event: { type: 'm.room.message', content: bytes('{"body":"hi"}') },
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c655a3f0a1040616c6963653a612e6578616d706c6512064445564943451a026d31221f0a0e6d2e726f6f6d2e6d6573736167651a0d7b22626f6479223a226869227d'),
  roomInput('redact an event', { ...ROOM, sendEvent: {
    sender: '@alice:a.example', deviceId: 'DEVICE', txnId: 'm2', event: { type: 'm.room.redaction', content: bytes('{}'), redacts: '$gone' },
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c655a3d0a1040616c6963653a612e6578616d706c6512064445564943451a026d32221d0a106d2e726f6f6d2e726564616374696f6e1a027b7d220524676f6e65'),
  roomInput('set a receipt', { ...ROOM, setReceipt: {
    userId: '@alice:a.example', receiptType: 'm.read', eventId: '$event', threadId: 'main', ts: 1_790_000_000_001,
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65622f0a1040616c6963653a612e6578616d706c6512066d2e726561641a06246576656e7422046d61696e2881d8c1a28c34'),
  roomInput('set typing', { ...ROOM, setTyping: { userId: '@alice:a.example', typing: true, timeoutMs: 30_000 } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c656a180a1040616c6963653a612e6578616d706c65100118b0ea01'),
  roomInput('join a room by way of other servers', { ...ROOM, sendEvent: {
    sender: '@alice:a.example', deviceId: 'DEVICE', txnId: '', event: { type: 'm.room.member', stateKey: '@alice:a.example', content: bytes('{"membership":"join"}') },
    via: ['b.example', 'c.example:8448'],
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c655a6f0a1040616c6963653a612e6578616d706c65120644455649434522380a0d6d2e726f6f6d2e6d656d626572121040616c6963653a612e6578616d706c651a157b226d656d62657273686970223a226a6f696e227d2a09622e6578616d706c652a0e632e6578616d706c653a38343438'),
  roomInput('an event of another server', { ...ROOM, receivePdu: { eventId: '$event', pdu: bytes('{"type":"m.room.name"}'), origin: 'b.example', needId: 'in-1#1', relay: true } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c6572350a06246576656e7412167b2274797065223a226d2e726f6f6d2e6e616d65227d1a09622e6578616d706c652206696e2d3123312801'),
  roomInput('an invite by another server', { ...ROOM, receiveInvite: {
    eventId: '$event', pdu: bytes('{"type":"m.room.member"}'), origin: 'b.example', roomVersion: '11', strippedState: bytes('[{"type":"m.room.name"}]'),
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c657a4b0a06246576656e7412187b2274797065223a226d2e726f6f6d2e6d656d626572227d1a09622e6578616d706c65220231312a185b7b2274797065223a226d2e726f6f6d2e6e616d65227d5d'),
  roomInput('import a slice of a state', { ...ROOM, importState: { needId: 'in-1#1', stageId: 'in-1#1', from: 200, to: 400, current: true, roomVersion: '10' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c6582011c0a06696e2d3123311206696e2d31233118c801209003280132023130'),
  roomInput('import what a state lacks', { ...ROOM, importState: { needId: 'in-1#1', stageId: 'in-1#1', from: 0, to: 100, current: false, roomVersion: '10', completes: true } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658201190a06696e2d3123311206696e2d312331206432023130800c01'),
  roomInput('complete a room', { ...ROOM, completeRoom: { sequence: 77 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658a0c02084d'),
  roomInput('a join without members', { ...ROOM, answer: {
    needId: 'in-1#1', status: 200, errcode: '', error: '', origin: 'b.example', eventId: '$event', pdu: bytes('{}'), stageId: 'in-1#1', roomVersion: '12', membersOmitted: true, serversInRoom: ['b.example', 'c.example'],
  } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658a01490a06696e2d31233110c8012a09622e6578616d706c653206246576656e743a027b7d4206696e2d3123314a023132f00b01fa0b09622e6578616d706c65fa0b09632e6578616d706c65'),
  roomInput('a need is fulfilled', { ...ROOM, answer: {
    needId: 'in-1#1', status: 200, errcode: '', error: '', origin: 'b.example', eventId: '$event', pdu: bytes('{"type":"m.room.member"}'), stageId: 'in-1#1', roomVersion: '12',
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658a01440a06696e2d31233110c8012a09622e6578616d706c653206246576656e743a187b2274797065223a226d2e726f6f6d2e6d656d626572227d4206696e2d3123314a023132'),
  roomInput('a need is not fulfilled', { ...ROOM, answer: {
    needId: 'in-1#2', status: 502, errcode: 'M_UNKNOWN', error: 'nobody answers', origin: '', eventId: '', pdu: new Uint8Array(), stageId: '', roomVersion: '',
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658a01260a06696e2d31233210f6031a094d5f554e4b4e4f574e220e6e6f626f647920616e7377657273'),
  roomInput('a knock was taken', { ...ROOM, answer: {
    needId: 'in-1#1', status: 200, errcode: '', error: '', origin: 'b.example', eventId: '$event', pdu: bytes('{}'), stageId: '', roomVersion: '12', strippedState: bytes('[]'),
  } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658a012a0a06696e2d31233110c8012a09622e6578616d706c653206246576656e743a027b7d4a02313252025b5d'),
  roomInput('create a room that has an alias', { ...ROOM, createRoom: {
    roomVersion: '12', sender: '@alice:a.example', createEvent: bytes('{}'), events: [], alias: '#tea:a.example',
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65522a0a023132121040616c6963653a612e6578616d706c651a027b7d2a0e237465613a612e6578616d706c65'),
  roomInput('create a room that is listed', { ...ROOM, createRoom: {
    roomVersion: '12', sender: '@alice:a.example', createEvent: bytes('{}'), events: [], alias: '#tea:a.example', published: true,
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65522c0a023132121040616c6963653a612e6578616d706c651a027b7d2a0e237465613a612e6578616d706c653001'),
  roomInput('reserve an alias', { ...ROOM, setAlias: { roomId: '!room:a.example', userId: '@alice:a.example', reservedUntilMs: 1_790_000_060_000, movedFrom: '' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c6592012a0a0f21726f6f6d3a612e6578616d706c65121040616c6963653a612e6578616d706c6518e0acc5a28c34'),
  roomInput('move an alias', { ...ROOM, setAlias: { roomId: '!room:a.example', userId: '@alice:a.example', reservedUntilMs: 0, movedFrom: '!old:a.example' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c659201330a0f21726f6f6d3a612e6578616d706c65121040616c6963653a612e6578616d706c65220e216f6c643a612e6578616d706c65'),
  roomInput('delete an alias', { ...ROOM, deleteAlias: { roomId: '!room:a.example', reservedOnly: true } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c659a01130a0f21726f6f6d3a612e6578616d706c651001'),
  roomInput('replace a room', { ...ROOM, upgradeRoom: {
    sender: '@alice:a.example', newRoomId: '!new:a.example', newRoom: { roomVersion: '12', sender: '@alice:a.example', createEvent: bytes('{}'), events: [], alias: '' },
  } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65a2013e0a1040616c6963653a612e6578616d706c65120e216e65773a612e6578616d706c651a1a0a023132121040616c6963653a612e6578616d706c651a027b7d'),
  roomInput('end an upgrade', { ...ROOM, finishUpgrade: { upgradeId: 'in-0', resultJson: '{"replacement_room":"!new:a.example","seen":[[3,70]]}' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65aa013d0a04696e2d3012357b227265706c6163656d656e745f726f6f6d223a22216e65773a612e6578616d706c65222c227365656e223a5b5b332c37305d5d7d'),
  roomInput('forget a room', { ...ROOM, forgetRoom: { userId: '@alice:a.example' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65b201120a1040616c6963653a612e6578616d706c65'),

  roomInput('publish a room in a list of the directory', { ...ROOM, setRoomVisibility: { isPublic: true, network: 'irc' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65e2010708011203697263'),
  userInput('what was set for a room is taken along', { ...USER, followUpgrade: { oldRoomId: '!old:a.example', newRoomId: '!new:a.example' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65b202200a0e216f6c643a612e6578616d706c65120e216e65773a612e6578616d706c65'),
  userInput('the room of notices', { ...USER, setNoticeRoom: { roomId: '!new:a.example', replaces: '!old:a.example' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65ba02200a0e216e65773a612e6578616d706c65120e216f6c643a612e6578616d706c65'),
  roomOutput('a room stands in lists of the directory', { ...ROOM_OUT, published: { networks: ['', 'irc'] } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d319a01070a000a03697263'),
  roomInput('a name or picture has changed', { ...ROOM, refreshMember: { userId: '@alice:a.example', profile: bytes('{"displayname":"Al"}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65ea01280a1040616c6963653a612e6578616d706c6512147b22646973706c61796e616d65223a22416c227d'),
  userInput('say what others are to see of one\'s presence', { ...USER, setPresence: { presence: 'unavailable', statusMsg: 'in a meeting' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65e2021b0a0b756e617661696c61626c65120c696e2061206d656574696e67'),
  userInput('tag a room', { ...USER, setTag: { roomId: '!room:a.example', tag: 'm.favourite', content: bytes('{"order":0.5}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c6582022d0a0f21726f6f6d3a612e6578616d706c65120b6d2e6661766f75726974651a0d7b226f72646572223a302e357d'),
  userInput('all rooms have heard of a profile', { ...USER, finishProfileSpread: { mark: 300 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c658a020308ac02'),
  userInput('report an event', { ...USER, report: { roomId: '!room:a.example', eventId: '$event', reportedUser: '', reason: 'rude' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c6592021f0a0f21726f6f6d3a612e6578616d706c651206246576656e74220472756465'),
  userInput('report a user', { ...USER, report: { roomId: '', eventId: '', reportedUser: '@bob:a.example', reason: 'rude' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c659202161a0e40626f623a612e6578616d706c65220472756465'),
  roomOutput('an event that was redacted before it came', { ...ROOM_OUT, event: {
    eventId: '$event', pdu: bytes('{}'), orderKey: 8, stateDelta: [], historyVisibility: 'shared', deviceId: '', txnId: '', softFailedAccepted: false, stateBeforeDiffers: false, redacts: '', redactedBy: '$redaction',
  } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3152220a06246576656e7412027b7d18082a06736861726564620a24726564616374696f6e'),
  roomOutput('a room is forgotten', { ...ROOM_OUT, forgotten: { userId: '@alice:a.example' } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d317a120a1040616c6963653a612e6578616d706c65'),
  roomOutput('an event', { ...ROOM_OUT, event: {
    eventId: '$event', pdu: bytes('{"type":"m.room.name"}'), orderKey: 7,
    stateDelta: [{ type: 'm.room.name', stateKey: '', eventId: '$event', replaces: '$before' }],
    historyVisibility: 'shared', deviceId: 'DEVICE', txnId: 'm1', softFailedAccepted: true, stateBeforeDiffers: true, redacts: '$gone',
  } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3152610a06246576656e7412167b2274797065223a226d2e726f6f6d2e6e616d65227d1807221e0a0b6d2e726f6f6d2e6e616d651a06246576656e742207246265666f72652a0673686172656432064445564943453a026d3140014801520524676f6e65'),
  roomOutput('an event of older history', { ...ROOM_OUT, event: {
    eventId: '$old', pdu: bytes('{}'), orderKey: -3, stateDelta: [], historyVisibility: 'world_readable', deviceId: '', txnId: '',
    softFailedAccepted: false, stateBeforeDiffers: false, redacts: '',
  } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3152250a04246f6c6412027b7d18fdffffffffffffffff012a0e776f726c645f7265616461626c65'),
  roomOutput('a receipt', { ...ROOM_OUT, receipt: {
    userId: '@alice:a.example', receiptType: 'm.read.private', eventId: '$event', threadId: '$thread', ts: 1_790_000_000_002,
  } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d315a3a0a1040616c6963653a612e6578616d706c65120e6d2e726561642e707269766174651a06246576656e742207247468726561642882d8c1a28c34'),
  roomOutput('a member event that this server passes on', { ...ROOM_OUT, event: {
    eventId: '$event', pdu: bytes('{"type":"m.room.member"}'), orderKey: 8,
    stateDelta: [
      { type: 'm.room.member', stateKey: '@zoe:b.example', eventId: '$event', replaces: '$before', membership: 'join', replacedMembership: 'invite' },
      { type: 'm.room.topic', stateKey: '', eventId: '', replaces: '$topic', membership: '', replacedMembership: '' },
    ],
    historyVisibility: 'joined', deviceId: '', txnId: '', softFailedAccepted: false, stateBeforeDiffers: false, redacts: '', relayOf: 'b.example',
  } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31528f010a06246576656e7412187b2274797065223a226d2e726f6f6d2e6d656d626572227d1808223e0a0d6d2e726f6f6d2e6d656d626572120e407a6f653a622e6578616d706c651a06246576656e742207246265666f72652a046a6f696e3206696e7669746522160a0c6d2e726f6f6d2e746f706963220624746f7069632a066a6f696e65645a09622e6578616d706c65'),
  roomOutput('a slice of a state', { ...ROOM_OUT, stateSlice: {
    reset: true,
    changes: [{ type: 'm.room.create', stateKey: '', eventId: '$create', replaces: '' }, { type: 'm.room.member', stateKey: '@zoe:b.example', eventId: '$zoe', replaces: '', membership: 'join' }],
    pdus: [bytes('{"type":"m.room.create"}'), bytes('{"type":"m.room.member"}')],
  } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31627d080112180a0d6d2e726f6f6d2e6372656174651a0724637265617465122b0a0d6d2e726f6f6d2e6d656d626572120e407a6f653a622e6578616d706c651a04247a6f652a046a6f696e1a187b2274797065223a226d2e726f6f6d2e637265617465227d1a187b2274797065223a226d2e726f6f6d2e6d656d626572227d'),
  roomOutput('an invite to a room elsewhere', { ...ROOM_OUT, outsideMembership: {
    userId: '@alice:a.example', membership: 'invite', eventId: '$event', pdu: bytes('{"type":"m.room.member"}'), strippedState: bytes('[]'),
  } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d316a400a1040616c6963653a612e6578616d706c651206696e766974651a06246576656e7422187b2274797065223a226d2e726f6f6d2e6d656d626572227d2a025b5d'),
  roomOutput('a need of missing events', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, missingEvents: { origin: 'b.example', eventId: '$event', earliest: ['$a', '$b'], minDepth: 5 } } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31722e0a06696e2d31233110c081c9a28c34521d0a09622e6578616d706c651206246576656e741a0224611a0224622005'),
  roomOutput('a need of missing events, with what is lacking', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, missingEvents: { origin: 'b.example', eventId: '$event', earliest: ['$a'], minDepth: 5, lacking: ['$c'] } } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31722e0a06696e2d31233110c081c9a28c34521d0a09622e6578616d706c651206246576656e741a02246120052a022463'),
  roomOutput('a need of an auth chain', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, eventAuth: { origin: 'b.example', eventId: '$event' } } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3172240a06696e2d31233110c081c9a28c345a130a09622e6578616d706c651206246576656e74'),
  roomOutput('a need of a state', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, stateAt: { origin: 'b.example', eventId: '$event' } } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3172240a06696e2d31233110c081c9a28c3462130a09622e6578616d706c651206246576656e74'),
  roomOutput('a need of a whole state', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, wholeState: { via: ['b.example', 'c.example'], eventId: '$event' } } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3172300a06696e2d31233110c081c9a28c34920c1e0a09622e6578616d706c650a09632e6578616d706c651206246576656e74'),
  roomOutput('the members of a room are known', { ...ROOM_OUT, partial: { servers: ['b.example', 'c.example'], ended: true } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d319a0c180a09622e6578616d706c650a09632e6578616d706c651001'),
  roomOutput('a need of a signature', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, signInvite: {
    destination: 'b.example', eventId: '$event', pdu: bytes('{"type":"m.room.member"}'), strippedState: bytes('[]'),
  } } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3172420a06696e2d31233110c081c9a28c346a310a09622e6578616d706c651206246576656e741a187b2274797065223a226d2e726f6f6d2e6d656d626572227d22025b5d'),
  roomOutput('a need of a membership', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, remoteMembership: {
    userId: '@alice:a.example', membership: 'join', via: ['b.example', 'c.example'], content: bytes('{"displayname":"Alice"}'),
  } } }, 
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3172580a06696e2d31233110c081c9a28c3472470a1040616c6963653a612e6578616d706c6512046a6f696e1a09622e6578616d706c651a09632e6578616d706c6522177b22646973706c61796e616d65223a22416c696365227d'),

  userInput('register', { ...USER, register: { passwordHash: '$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaA', kind: 'user', device: DEVICE } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c6552420a2324736372797074246c6e3d31352c723d382c703d3124633246736441246147467a61411204757365721a150a0644455649434512040102feff1a0550686f6e65'),
  userInput('register an administrator', { ...USER, register: { passwordHash: '$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaA', kind: 'user', admin: true } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65522d0a2324736372797074246c6e3d31352c723d382c703d3124633246736441246147467a61411204757365722001'),
  userInput('log in', { ...USER, login: { device: DEVICE } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c655a170a150a0644455649434512040102feff1a0550686f6e65'),
  userInput('log out', { ...USER, logout: { deviceId: 'DEVICE' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c6562080a06444556494345'),
  userInput('set a profile field', { ...USER, setProfileField: { key: 'displayname', value: bytes('"Alice"') } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c656a160a0b646973706c61796e616d65120722416c69636522'),
  userInput('set account data', { ...USER, setAccountData: { roomId: '!room:a.example', type: 'm.tag', content: bytes('{"tags":{}}') } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c6572250a0f21726f6f6d3a612e6578616d706c6512056d2e7461671a0b7b2274616773223a7b7d7d'),
  userInput('put a filter', { ...USER, putFilter: { filterId: 'f1', definition: bytes('{"room":{}}') } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c657a110a026631120b7b22726f6f6d223a7b7d7d'),
  userInput('put a push rule', { ...USER, putPushRule: { kind: 'content', ruleId: 'cake', rule: bytes('{"actions":["notify"],"pattern":"cake"}'), before: 'tea', after: 'beer' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c659a02430a07636f6e74656e74120463616b651a277b22616374696f6e73223a5b226e6f74696679225d2c227061747465726e223a2263616b65227d22037465612a0462656572'),
  userInput('delete a push rule', { ...USER, deletePushRule: { kind: 'room', ruleId: '!room:a.example' } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65a202170a04726f6f6d120f21726f6f6d3a612e6578616d706c65'),
  userInput('change a push rule', { ...USER, changePushRule: { kind: 'override', ruleId: '.m.rule.master', property: 'enabled', value: bytes('true') } }, 
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65aa02290a086f76657272696465120e2e6d2e72756c652e6d61737465721a07656e61626c6564220474727565'),

  userOutput('account data', { ...USER_OUT, accountData: { roomId: '', type: 'm.direct', content: bytes('{}') } }, 
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d31520e12086d2e6469726563741a027b7d'),
  userOutput('a profile field', { ...USER_OUT, profileField: { key: 'avatar_url', value: bytes('"mxc://a.example/x"') } }, 
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d315a210a0a6176617461725f75726c1213226d78633a2f2f612e6578616d706c652f7822'),
  userOutput('a device', { ...USER_OUT, device: { deviceId: 'DEVICE', removed: true } }, 
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d31620a0a064445564943451001'),

  envelope('OutputEnvelope', { sequence: 4_294_967_297, epoch: 3, record: new Uint8Array([0, 127, 128, 255]) }, 
    '08818080801010031a04007f80ff'),
  envelope('Outcome', {
    inputId: 'in-1', partition: 31, sequence: 9_007_199_254_740_991, result: bytes('{"event_id":"$event"}'), errcode: 'M_LIMIT_EXCEEDED', error: 'slow down',
    status: 429, errorFields: bytes('{"retry_after_ms":100}'),
  }, 
    '0a04696e2d31101f18ffffffffffffff0f22157b226576656e745f6964223a22246576656e74227d2a104d5f4c494d49545f45584345454445443209736c6f7720646f776e38ad0342167b2272657472795f61667465725f6d73223a3130307d'),
  envelope('Outcomes', {
    outcomes: [
      { inputId: 'in-1', partition: 3, sequence: 12, result: bytes('{}'), errcode: '', error: '', status: 200, errorFields: new Uint8Array() },
      { inputId: 'in-2', partition: 3, sequence: 0, result: new Uint8Array(), errcode: 'M_FORBIDDEN', error: 'no', status: 403, errorFields: new Uint8Array() },
    ],
  }, 
    '0a110a04696e2d311003180c22027b7d38c8010a1c0a04696e2d3210032a0b4d5f464f5242494444454e32026e6f389303'),
  envelope('Applied', { log: 'room-output', partition: 5, sequence: 12, rooms: ['!room:a.example', '!b:a.example'], users: ['@alice:a.example'], after: 11 }, 
    '0a0b726f6f6d2d6f75747075741005180c220f21726f6f6d3a612e6578616d706c65220c21623a612e6578616d706c652a1040616c6963653a612e6578616d706c65300b'),
  envelope('Applied', { log: 'room-output', partition: 5, sequence: 12, rooms: [], users: [], after: 11, more: [{ partition: 6, sequence: 300, after: 299 }, { partition: 9, sequence: 1, after: 0 }] },
    '0a0b726f6f6d2d6f75747075741005180c300b3a08080610ac0218ab023a0408091001'),
  envelope('TypingNow', {
    roomId: '!room:a.example', partition: 5, epoch: 3, counter: 8, userIds: ['@alice:a.example', '@bob:a.example'], expiresMs: 1_790_000_030_000,
  }, 
    '0a0f21726f6f6d3a612e6578616d706c651005180320082a1040616c6963653a612e6578616d706c652a0e40626f623a612e6578616d706c6530b0c2c3a28c34'),
  roomInput('join branches', { ...ROOM, joinBranches: { extremitiesMax: 10 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65f20102080a'),
  roomInput('collect states', { ...ROOM, collectStates: { stateIds: [900, 31, 2] } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65fa01060a0484071f02'),
  roomInput('purge history', { ...ROOM, purgeHistory: { eventId: '$first', beforeTs: 1_790_000_000_002 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c6582020f0a062466697273741082d8c1a28c34'),
  roomInput('go on with a purge', { ...ROOM, purgeSlice: { purgeId: 'in-0', afterOrderKey: 400 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658a02090a04696e2d30109003'),
  roomOutput('history was purged', { ...ROOM_OUT, historyPurged: { toOrderKey: 400 } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31f20103089003'),
  roomInput('fetch history', { ...ROOM, fetchHistory: { limit: 100 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c65ba01020864'),
  roomOutput('history was purged for readers that begin anew', { ...ROOM_OUT, historyPurged: { toOrderKey: 400, toSequence: 977 } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31f2010608900310d107'),
  roomOutput('an event of history', { ...ROOM_OUT, event: { eventId: '$old', pdu: bytes('{"type":"m.room.message"}'), orderKey: -3, stateDelta: [], historyVisibility: 'shared', deviceId: '', txnId: '', softFailedAccepted: false, stateBeforeDiffers: true, redacts: '', relayOf: '', redactedBy: '', historyAt: 17 } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3152380a04246f6c6412197b2274797065223a226d2e726f6f6d2e6d657373616765227d18fdffffffffffffffff012a0673686172656448016811'),
  roomOutput('a need of history', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, backfill: { via: ['b.example', 'c.example'], eventIds: ['$a', '$b'], limit: 100 } } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d3172310a06696e2d31233110c081c9a28c347a200a09622e6578616d706c650a09632e6578616d706c6512022461120224621864'),
  userInput('deactivate an account and erase it', { ...USER, deactivate: { erase: true, roomSequences: [7, 0, 300] } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65c20108080112040700ac02'),
  userInput('the user is in no room any more', { ...USER, finishDeactivation: {} },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65ca0100'),
  userInput('lock an account', { ...USER, setAccountFlag: { flag: 'locked', isSet: true } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65d2010a0a066c6f636b65641001'),
  userInput('accept terms', { ...USER, acceptTerms: { versions: bytes('{"privacy":"2"}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65da01110a0f7b2270726976616379223a2232227d'),
  userInput('give out a registration token', { ...USER, userId: '#welcome', putRegistrationToken: { removed: false, usesAllowed: 3, expiresMs: 1_790_000_000_003 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c3432082377656c636f6d65e2010910031883d8c1a28c34'),
  userInput('take a registration token back', { ...USER, userId: '#welcome', putRegistrationToken: { removed: true, usesAllowed: 0, expiresMs: 0 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c3432082377656c636f6d65e201020801'),
  userInput('use a registration token', { ...USER, userId: '#welcome', useRegistrationToken: { userId: '@bob:a.example' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c3432082377656c636f6d65ea01100a0e40626f623a612e6578616d706c65'),
  userInput('make a guest a user', { ...USER, upgradeGuest: { passwordHash: '$scrypt$x', device: DEVICE } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65f201220a0924736372797074247812150a0644455649434512040102feff1a0550686f6e65'),
  userOutput('an account is over', { ...USER_OUT, deactivated: { erased: true, roomSequences: [7, 0, 300] } },
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d31820108080112040700ac02'),
  roomInput('an administrator redacts', { ...ROOM, sendEvent: { sender: '@alice:a.example', deviceId: 'DEVICE', txnId: 'm1', event: { type: 'm.room.redaction', content: bytes('{}'), redacts: '$event' }, byAdmin: true } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c655a400a1040616c6963653a612e6578616d706c6512064445564943451a026d31221e0a106d2e726f6f6d2e726564616374696f6e1a027b7d2206246576656e747001'),
  roomInput('a member is kicked', { ...ROOM, sendEvent: { sender: '@alice:a.example', deviceId: 'DEVICE', txnId: '', event: { type: 'm.room.member', stateKey: '@bob:a.example', content: bytes('{}') }, onlyFrom: ['join', 'knock'] } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c655a4c0a1040616c6963653a612e6578616d706c65120644455649434522230a0d6d2e726f6f6d2e6d656d626572120e40626f623a612e6578616d706c651a027b7d6a046a6f696e6a056b6e6f636b'),
  roomInput('a guest joins', { ...ROOM, sendEvent: { sender: '@1:a.example', deviceId: 'DEVICE', txnId: '', event: { type: 'm.room.member', stateKey: '@1:a.example', content: bytes('{"membership":"join"}') }, isGuest: true } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c655a4e0a0c40313a612e6578616d706c65120644455649434522340a0d6d2e726f6f6d2e6d656d626572120c40313a612e6578616d706c651a157b226d656d62657273686970223a226a6f696e227d7801'),
  userInput('log in with a token, to refresh', { ...USER, login: { device: REFRESHED_DEVICE, loginTokenHash: new Uint8Array([9, 8]) } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c655a3e0a380a0644455649434512040102feff1a0550686f6e6520e0ffd3a28c342a020506320207083880aad5cf8f34420b3230332e302e3131332e3712020908'),
  userInput('refresh tokens', { ...USER, refreshTokens: {
    deviceId: 'DEVICE', refreshHash: new Uint8Array([1]), newTokenHash: new Uint8Array([2]), expiresMs: 1_790_000_300_000, newRefreshHash: new Uint8Array([3]), refreshExpiresMs: 1_790_900_000_000,
    familyHash: new Uint8Array([4]),
  } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c658201220a064445564943451201011a010220e0ffd3a28c342a01033080aad5cf8f343a0104'),
  userInput('confirm a token', { ...USER, confirmToken: { deviceId: 'DEVICE', tokenHash: new Uint8Array([1, 2]) } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c658a010c0a0644455649434512020102'),
  userInput('issue a token', { ...USER, issueToken: { purpose: 'openid', tokenHash: new Uint8Array([1, 2]), expiresMs: 1_790_003_600_000 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c659201130a066f70656e6964120201021880b59da48c34'),
  userInput('remove devices', { ...USER, removeDevices: { deviceIds: ['DEVICE', 'OTHER'] } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c659a010f0a064445564943450a054f54484552'),
  userInput('put a device', { ...USER, putDevice: { deviceId: 'DEVICE', displayName: 'Phone', mayCreate: true } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65a201110a06444556494345120550686f6e651801'),
  userInput('see a device', { ...USER, seeDevice: { deviceId: 'DEVICE', ip: '203.0.113.7' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65aa01150a06444556494345120b3230332e302e3131332e37'),
  userInput('change a password', { ...USER, changePassword: { passwordHash: '$scrypt$ln=15,r=8,p=1$c2FsdA$aGFzaA', logsOutOthers: true, deviceId: 'DEVICE' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65b2012f0a2324736372797074246c6e3d31352c723d382c703d3124633246736441246147467a614110011a06444556494345'),
  userInput('complete a stage', { ...USER, userId: '~session', uiaStep: { stage: 'm.login.dummy', expiresMs: 1_790_000_900_000 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c3432087e73657373696f6eba01160a0d6d2e6c6f67696e2e64756d6d7910a0cff8a28c34'),

  userInput('use a registration token for the account that a session ends in', { ...USER, userId: '#welcome', useRegistrationToken: { userId: '@bob:a.example', insteadOf: '~session' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c3432082377656c636f6d65ea011a0a0e40626f623a612e6578616d706c6512087e73657373696f6e'),
  userInput('send to devices', { ...USER, sendToDevice: { sender: '@bob:a.example', type: 'm.room_key', targets: [{ userId: '@alice:a.example', deviceId: '*', content: 0 }, { userId: '@carol:a.example', deviceId: 'PHONE', content: 1 }], contents: [bytes('{"a":1}'), bytes('{"b":2}')] } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65a203620a0e40626f623a612e6578616d706c65120a6d2e726f6f6d5f6b65791a150a1040616c6963653a612e6578616d706c6512012a1a1b0a10406361726f6c3a612e6578616d706c65120550484f4e45180122077b2261223a317d22077b2262223a327d'),
  userInput('acknowledge messages to a device', { ...USER, ackToDevice: { deviceId: 'DEVICE', sequence: 77 } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65aa030a0a06444556494345104d'),
  userInput('send to devices of other servers', { ...USER, sendToServers: { type: 'm.room_key', servers: [{ serverName: 'b.example', messageId: 'm1', messages: bytes('{"@bob:b.example":{"*":{}}}') }] } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65b2033a0a0a6d2e726f6f6d5f6b6579122c0a09622e6578616d706c6512026d311a1b7b2240626f623a622e6578616d706c65223a7b222a223a7b7d7d7d'),
  userInput('create a key backup', { ...USER, createKeyBackup: { algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', authData: bytes('{"public_key":"abc"}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65ba033e0a266d2e6d65676f6c6d5f6261636b75702e76312e637572766532353531392d6165732d7368613212147b227075626c69635f6b6579223a22616263227d'),
  userInput('update a key backup', { ...USER, updateKeyBackup: { version: '1', algorithm: 'm.megolm_backup.v1.curve25519-aes-sha2', authData: bytes('{"public_key":"abc"}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65c203410a013112266d2e6d65676f6c6d5f6261636b75702e76312e637572766532353531392d6165732d736861321a147b227075626c69635f6b6579223a22616263227d'),
  userInput('delete a key backup', { ...USER, deleteKeyBackup: { version: '1' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65ca03030a0131'),
  userInput('put keys into a backup', { ...USER, changeBackupKeys: { version: '1', put: [{ roomId: '!room:a.example', sessionId: 'session', firstMessageIndex: 5, forwardedCount: 2, isVerified: true, sessionData: bytes('{"mac":"x"}') }], roomId: '', sessionId: '' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65d203320a0131122d0a0f21726f6f6d3a612e6578616d706c65120773657373696f6e180520022801320b7b226d6163223a2278227d'),
  userInput('put no keys into a backup, of a session in a room', { ...USER, changeBackupKeys: { version: '1', put: [], roomId: '!room:a.example', sessionId: 'session' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65d2031d0a01311a0f21726f6f6d3a612e6578616d706c65220773657373696f6e'),
  userOutput('messages arrived for devices', { ...USER_OUT, toDeviceArrived: { userIds: ['@alice:a.example', '@carol:a.example'] } },
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d31c201240a1040616c6963653a612e6578616d706c650a10406361726f6c3a612e6578616d706c65'),
  userOutput('messages leave for devices', { ...USER_OUT, toDeviceLeaving: { messages: [{ destination: 'b.example', content: bytes('{"sender":"@alice:a.example"}') }] } },
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d31ca012c0a2a0a09622e6578616d706c65121d7b2273656e646572223a2240616c6963653a612e6578616d706c65227d'),
  userInput('upload keys', { ...USER, uploadKeys: { deviceId: 'DEVICE', deviceKeys: bytes('{"device_id":"DEVICE"}'), oneTimeKeys: bytes('{"curve25519:A":"x"}'), fallbackKeys: bytes('{}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65f2023a0a0644455649434512167b226465766963655f6964223a22444556494345227d1a147b22637572766532353531393a41223a2278227d22027b7d'),
  userInput('put a dehydrated device', { ...USER, putDehydratedDevice: { keys: { deviceId: 'DEVICE', deviceKeys: bytes('{"device_id":"DEVICE"}'), oneTimeKeys: bytes('{}'), fallbackKeys: bytes('{}') }, deviceData: bytes('{"algorithm":"a"}'), displayName: 'Dehydrated' } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65d20a490a280a0644455649434512167b226465766963655f6964223a22444556494345227d1a027b7d22027b7d12117b22616c676f726974686d223a2261227d1a0a44656879647261746564'),
  userInput('remove the dehydrated device', { ...USER, removeDehydratedDevice: {} },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65da0a00'),
  userInput('claim keys', { ...USER, claimKeys: { claims: [{ deviceId: 'DEVICE', algorithm: 'signed_curve25519' }] } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65fa021d0a1b0a0644455649434512117369676e65645f63757276653235353139'),
  userInput('upload cross-signing keys', { ...USER, uploadCrossSigning: { keys: bytes('{"master_key":{}}'), mayReplace: true } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c658203150a117b226d61737465725f6b6579223a7b7d7d1001'),
  userInput('upload signatures', { ...USER, uploadSignatures: { signatures: bytes('{"@bob:a.example":{}}'), masters: bytes('{}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c658a031b0a157b2240626f623a612e6578616d706c65223a7b7d7d12027b7d'),
  userInput("keys of another server's user", { ...USER, userId: '@bob:b.example', remoteKeys: { kind: 'list', content: bytes('{"stream_id":5}') } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320e40626f623a622e6578616d706c659203170a046c697374120f7b2273747265616d5f6964223a357d'),
  userOutput('a device with other keys', { ...USER_OUT, deviceList: { deviceId: 'DEVICE', deleted: true, displayName: 'Phone', keys: bytes('{"a":1}'), crossSigning: bytes('{"master_key":{}}'), previous: 7 } },
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d31aa012f0a0644455649434510011a0550686f6e6522077b2261223a317d2a117b226d61737465725f6b6579223a7b7d7d3007'),
  userOutput('what is left to claim', { ...USER_OUT, keyCounts: { deviceId: 'DEVICE', counts: '{"curve25519":3}', unusedFallbacks: '["curve25519"]' } },
    '0a1040616c6963653a612e6578616d706c651204696e2d311a0774726163652d31b2012a0a0644455649434512107b2263757276653235353139223a337d1a0e5b2263757276653235353139225d'),
  userInput('take keys out of a backup', { ...USER, changeBackupKeys: { version: '1', put: [], roomId: '!room:a.example', sessionId: 'session', takesOut: true } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34321040616c6963653a612e6578616d706c65d2031f0a01311a0f21726f6f6d3a612e6578616d706c65220773657373696f6e2801'),
  roomOutput('a need of a policy server', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, askPolicy: { policy: { serverName: 'policy.example', publicKey: 'a2V5' }, eventId: '$event', pdu: bytes('{"type":"m.room.message"}'), isOurs: true } } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31724f0a06696e2d31233110c081c9a28c34c20c3d0a160a0e706f6c6963792e6578616d706c651204613256351206246576656e741a197b2274797065223a226d2e726f6f6d2e6d657373616765227d2001'),
  roomOutput('a need of two signatures', { ...ROOM_OUT, need: { needId: 'in-1#1', deadlineMs: 1_790_000_120_000, signInvite: {
    destination: 'b.example', eventId: '$event', pdu: bytes('{"type":"m.room.member"}'), strippedState: bytes('[]'), policy: { serverName: 'policy.example', publicKey: 'a2V5' },
  } } },
    '0a0f21726f6f6d3a612e6578616d706c65120231321a04696e2d31220774726163652d31725b0a06696e2d31233110c081c9a28c346a4a0a09622e6578616d706c651206246576656e741a187b2274797065223a226d2e726f6f6d2e6d656d626572227d22025b5dc20c160a0e706f6c6963792e6578616d706c65120461325635'),
  roomInput('a policy server is in no haste', { ...ROOM, answer: {
    needId: 'in-1#1', status: 429, errcode: 'M_LIMIT_EXCEEDED', error: 'Slowly', origin: '', eventId: '', pdu: bytes(''), stageId: '', roomVersion: '', errorFields: bytes('{"retry_after_ms":1500}'),
  } },
    '0a04696e2d3112077265706c792e6118b0c2c3a28c34220774726163652d312880d8c1a28c34320f21726f6f6d3a612e6578616d706c658a013f0a06696e2d31233110ad031a104d5f4c494d49545f45584345454445442206536c6f776c79d20c177b2272657472795f61667465725f6d73223a313530307d'),
];
