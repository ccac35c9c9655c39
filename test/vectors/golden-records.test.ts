/** The records of `schemas/log` stay readable: old bytes, unknown fields, and the TypeScript types beside the `.proto` files. */
import assert from 'node:assert/strict';
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'node:test';
import protobuf from 'protobufjs';
import ts from 'typescript';
import {
  appliedCodec, envelopeCodec, outcomeCodec, outcomesCodec, roomInputCodec, roomOutputCodec, typingCodec, userInputCodec, userOutputCodec,
} from '../../pkg/log/codec.ts';
import { PoisonRecord } from '../../pkg/log/log.ts';
import { REPOSITORY } from '../run-files.ts';
import { GOLDEN_RECORDS, type GoldenRecord } from './golden-records.ts';

interface AnyCodec {
  encode(value: never): Uint8Array;
  decode(bytes: Uint8Array): object;
}

const CODECS: Record<string, AnyCodec> = {
  'room-input/RoomInput': roomInputCodec,
  'room-output/RoomOutput': roomOutputCodec,
  'user-input/UserInput': userInputCodec,
  'user-output/UserOutput': userOutputCodec,
  'envelope/OutputEnvelope': envelopeCodec,
  'envelope/Outcome': outcomeCodec,
  'envelope/Outcomes': outcomesCodec,
  'envelope/Applied': appliedCodec,
  'envelope/TypingNow': typingCodec,
};

const FOLDER = join(REPOSITORY, 'schemas/log');
const PROTO_FILES = readdirSync(FOLDER).filter((name) => name.endsWith('.proto')).map((name) => name.replace('.proto', ''));
/** Field number 3000 of each wire type: a varint, eight bytes, a string, four bytes. No reader knows it. */
const UNKNOWN_FIELDS = ['c0bb0105', 'c1bb010102030405060708', 'c2bb0103616263', 'c5bb0101020304'];
/** Reserved for sealing content by key; no code reads or writes it yet, so that the types leave it out. */
const RESERVED_FIELDS = new Set(['sealed']);

for (const record of GOLDEN_RECORDS) {
  const label = `${record.message}, ${record.name}`;
  const { encode, decode } = codecOf(record);
  test(`${label}: its first bytes are still read, and still written`, () => {
    assertReads(decode(Buffer.from(record.hex, 'hex')), record.value, label);
    assert.equal(Buffer.from(encode(record.value as never)).toString('hex'), record.hex);
  });
  test(`${label}: fields of a newer writer are skipped`, () => {
    const unknown = UNKNOWN_FIELDS.join('');
    assertReads(decode(Buffer.from(`${unknown}${record.hex}${unknown}`, 'hex')), record.value, label);
  });
}

test('bytes that are no record are poison, not a crash', () => {
  for (const codec of Object.values(CODECS)) assert.throws(() => codec.decode(Buffer.from('0aff', 'hex')), PoisonRecord);
});

test('what a record leaves out is read as null, empty or zero', () => {
  const decoded = roomInputCodec.decode(new Uint8Array());
  assert.equal(decoded.inputId, '');
  assert.equal(decoded.deadlineMs, 0);
  assert.equal(decoded.createRoom ?? null, null);
  const draft = roomInputCodec.decode(roomInputCodec.encode({
    inputId: '', replyTo: '', deadlineMs: 0, traceId: '', originServerTs: 0, roomId: '',
    sendEvent: { sender: '', deviceId: '', txnId: '', event: { type: 't', content: new Uint8Array() } },
  }));
  assert.equal(draft.sendEvent?.event.stateKey ?? null, null);
});

test('every field of every message of every log is set in a golden record', () => {
  const seen = new Set<string>();
  for (const record of GOLDEN_RECORDS) markSeen(messageType(record.message), record.value as Record<string, unknown>, seen);
  const all = PROTO_FILES.flatMap((file) => messages(parseProto(file)).flatMap((type) => dataFields(type).map((field) => `${type.name}.${field.name}`)));
  assert.deepEqual(all.filter((name) => !seen.has(name)), []);
});

for (const file of PROTO_FILES) {
  test(`the types of ${file}.ts have the fields of ${file}.proto`, () => {
    const types = declaredTypes(file);
    const roots = messages(parseProto(file)).filter((type) => types.names.has(type.name));
    assert.notEqual(roots.length, 0);
    for (const type of roots) assert.deepEqual(types.shape(type.name), protoShape(type), type.name);
  });
}

function codecOf(record: GoldenRecord): AnyCodec {
  const codec = CODECS[record.message];
  assert.ok(codec, `no codec for ${record.message}`);
  return codec;
}

/** Every field of `value` reads the same from `decoded` (whose empty fields may be inherited), and nothing else is set in it. */
function assertReads(decoded: unknown, value: unknown, path: string): void {
  if (value instanceof Uint8Array) {
    assert.ok(decoded instanceof Uint8Array, path);
    assert.equal(Buffer.from(decoded).toString('hex'), Buffer.from(value).toString('hex'), path);
    return;
  }
  if (typeof value !== 'object' || value === null) {
    assert.equal(decoded, value, path);
    return;
  }
  assert.ok(typeof decoded === 'object' && decoded !== null, path);
  for (const [key, field] of Object.entries(value)) assertReads((decoded as Record<string, unknown>)[key], field, `${path}.${key}`);
  // A list that the record leaves out is read as an empty one.
  const others = Object.entries(decoded).filter(([key, field]) => !(key in value) && field !== null && field !== undefined && !(Array.isArray(field) && field.length === 0));
  assert.deepEqual(others, [], path);
}

function parseProto(file: string): protobuf.Namespace {
  const { root } = protobuf.parse(readFileSync(join(FOLDER, `${file}.proto`), 'utf8'));
  root.resolveAll();
  return root.lookup('myelin.log') as protobuf.Namespace;
}

function messages(namespace: protobuf.Namespace): protobuf.Type[] {
  return namespace.nestedArray.filter((nested): nested is protobuf.Type => nested instanceof protobuf.Type);
}

function messageType(message: string): protobuf.Type {
  const [file = '', name = ''] = message.split('/');
  return parseProto(file).lookupType(name);
}

function dataFields(type: protobuf.Type): protobuf.Field[] {
  return type.fieldsArray.filter((field) => !RESERVED_FIELDS.has(field.name));
}

function markSeen(type: protobuf.Type, value: Record<string, unknown>, seen: Set<string>): void {
  for (const field of type.fieldsArray) {
    const held = value[field.name];
    const items = (Array.isArray(held) ? held : [held]).filter((item) => item !== undefined && item !== null);
    if (items.length > 0) seen.add(`${type.name}.${field.name}`);
    if (field.resolvedType instanceof protobuf.Type) for (const item of items) markSeen(field.resolvedType, item as Record<string, unknown>, seen);
  }
}

type Shape = { [field: string]: string | Shape };

const SCALARS: Record<string, string> = { string: 'string', bytes: 'Uint8Array', bool: 'boolean', int32: 'number', int64: 'number' };

/** Field names and kinds as the `.proto` file has them: `string`, `string[]`, `string?`, or a nested shape. */
function protoShape(type: protobuf.Type): Shape {
  return Object.fromEntries(dataFields(type).map((field) => {
    const mark = field.repeated ? '[]' : '';
    if (field.resolvedType instanceof protobuf.Type) return [`${field.name}${mark}`, protoShape(field.resolvedType)];
    return [`${field.name}${mark}`, SCALARS[field.type] ?? field.type];
  }));
}

/** The exported types of `schemas/log/<file>.ts`, and their shapes as the compiler sees them. */
function declaredTypes(file: string): { names: Set<string>; shape: (name: string) => Shape } {
  const path = join(FOLDER, `${file}.ts`);
  const program = ts.createProgram([path], { strict: true, noEmit: true, allowImportingTsExtensions: true, module: ts.ModuleKind.NodeNext, target: ts.ScriptTarget.ES2022 });
  const checker = program.getTypeChecker();
  const source = program.getSourceFile(path);
  assert.ok(source);
  const moduleSymbol = checker.getSymbolAtLocation(source);
  const exported = moduleSymbol ? checker.getExportsOfModule(moduleSymbol) : [];
  const shapeOf = (type: ts.Type): Shape => Object.fromEntries(checker.getPropertiesOfType(type).map((property) => {
    const declared = checker.getNonNullableType(checker.getTypeOfSymbol(property));
    const item = checker.isArrayType(declared) ? checker.getTypeArguments(declared as ts.TypeReference)[0] : undefined;
    const text = checker.typeToString(item ?? declared).replace(/^Uint8Array<.*>$/, 'Uint8Array');
    const isScalar = Object.values(SCALARS).includes(text);
    return [`${property.name}${item ? '[]' : ''}`, isScalar ? text : shapeOf(item ?? declared)];
  }));
  return {
    names: new Set(exported.map((symbol) => symbol.name)),
    shape: (name) => {
      const symbol = exported.find((candidate) => candidate.name === name);
      assert.ok(symbol);
      return shapeOf(checker.getDeclaredTypeOfSymbol(symbol));
    },
  };
}
