/** Feeds inputs to the userapi's processor in batches, as the input runner does, and keeps what it tells. For tests of `components/userapi`. */
import { createHash } from 'node:crypto';
import { createUserProcessor } from '../../components/userapi/input/processor.ts';
import type { UserEffects } from '../../components/userapi/input/effects.ts';
import { userapiMigrations, userQuery } from '../../components/userapi/index.ts';
import { userInputCodec, userOutputCodec } from '../../pkg/log/codec.ts';
import type { Decision, InputPlace, Processor } from '../../pkg/log/processor.ts';
import type { Database } from '../../pkg/storage/database.ts';
import { migrate } from '../../pkg/storage/migrate.ts';
import { openSqlite } from '../../pkg/storage/sqlite/open.ts';
import type { UserInput } from '../../schemas/log/user-input.ts';
import type { UserOutput } from '../../schemas/log/user-output.ts';
import type { UserQuery } from '../../schemas/ports/user-query.ts';
import { createManualRuntime } from './manual-runtime.ts';

export const ALICE = '@alice:test.example';
export const BOB = '@bob:test.example';
export const PARTITION = 3;

export const hashOf = (token: string): Uint8Array => createHash('sha256').update(token).digest();
export const json = (value: unknown): Uint8Array => Buffer.from(JSON.stringify(value));
export const deviceWith = (deviceId: string, token: string) => ({ deviceId, tokenHash: hashOf(token), displayName: deviceId.toLowerCase() });
export const registration = (deviceId: string, token: string) => ({ register: { passwordHash: 'phc', kind: 'user', device: deviceWith(deviceId, token) } });

/** An input's user and kind; the rest is filled in. */
export type Wish = Partial<UserInput> & { readonly userId: string };

export interface UserDriver {
  readonly database: Database;
  readonly processor: Processor<UserInput, UserEffects>;
  readonly query: UserQuery;
  readonly log: readonly { readonly sequence: number; readonly output: UserOutput }[];
  /** Loads and decides without a commit. */
  decide(batch: readonly Wish[]): Promise<unknown>;
  /** One batch, committed: `accepted`, or the error code, for each input. */
  batch(...inputs: readonly Wish[]): Promise<string[]>;
}

export async function openUserapi(on?: Database): Promise<UserDriver> {
  const database = on ?? (await openSqlite({ path: ':memory:' }));
  await migrate(database, 'userapi', userapiMigrations, 0);
  const processor = createUserProcessor({ database });
  const log: { sequence: number; output: UserOutput }[] = [];
  let numbers = 0;

  async function decide(batch: readonly Wish[]) {
    const inputs = batch.map((one) => processor.decode(userInputCodec.encode({ inputId: `i${(numbers += 1)}`, replyTo: '', deadlineMs: 0, traceId: '', ts: 1000 + numbers, ...one })));
    await processor.load(inputs.map((input) => ({ input, partition: PARTITION })));
    const accepted: { place: InputPlace; effects: UserEffects }[] = [];
    const decisions: Decision<UserEffects>[] = [];
    const made: typeof log = [];
    for (const input of inputs) {
      const place = { partition: PARTITION, epoch: 1, nextSequence: log.length + made.length + 1, nowMs: 0 };
      const decision = processor.decide(input, place);
      decisions.push(decision);
      if (decision.kind !== 'accepted') continue;
      accepted.push({ place, effects: decision.effects });
      for (const record of decision.outputs) made.push({ sequence: log.length + made.length + 1, output: userOutputCodec.decode(record) });
    }
    return { accepted, decisions, made };
  }

  async function batch(...inputs: readonly Wish[]): Promise<string[]> {
    const { accepted, decisions, made } = await decide(inputs);
    await database.transaction((tx) => processor.commit(tx, accepted));
    processor.committed?.(accepted);
    log.push(...made);
    return decisions.map((decision) => (decision.kind === 'rejected' ? decision.outcome.errcode : decision.kind));
  }
  return { database, processor, query: userQuery(database, createManualRuntime().clock), log, decide, batch };
}
