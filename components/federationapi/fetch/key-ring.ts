/**
 * Keys of other servers: from memory, else from the tables, else from the server itself, else from trusted key servers. A server is asked by one fetch at a time, and left
 * alone for a while when that did not give what was needed, so that requests with made-up origins or keys cannot make this server flood another.
 */
import { createRecent } from '../../../pkg/assert/recent.ts';
import { Overloaded } from '../../../pkg/assert/semaphore.ts';
import { afterFailure, waitMs } from '../../../pkg/federation/backoff.ts';
import type { Backoff, BackoffBounds } from '../../../pkg/federation/backoff.ts';
import { keySignsRequestsAt, refreshAtMs } from '../../../pkg/federation/server-keys.ts';
import type { RetiredKey, ServerKey, ServerKeyDocument, ServerKeys } from '../../../pkg/federation/server-keys.ts';
import type { FederationTransport } from '../../../pkg/federation/transport.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Clock, Runtime } from '../../../pkg/runtime/runtime.ts';
import type { Database } from '../../../pkg/storage/database.ts';
import { readDocuments, type KnownKeys } from '../storage/server-keys.ts';
import { askNotary, askServer, type Asking, type WantedKeys } from './fetch-keys.ts';
import { createKeyTurns, type KeyTurns } from './key-turns.ts';
import { createKnownKeyStore, type KnownKeyStore } from './known-keys.ts';

export interface KeyRing {
  /**
   * What is known after all has been tried; servers of which nothing is known are left out, and what is given may be older than what was wanted. `fresh`: documents past half
   * of their life are asked for again. Rejects with `StorageError`.
   */
  keys(wanted: readonly WantedKeys[], how?: { fresh: boolean }): Promise<ReadonlyMap<string, KnownKeys>>;
  /** Whether keys of the server that could not be had may well be had in a moment: it has not been out of reach for long, as far as is known. */
  mayRecover(serverName: string): boolean;
  /** What is known of these servers now, nobody is asked. Rejects with `StorageError`. */
  known(serverNames: readonly string[]): Promise<ReadonlyMap<string, KnownKeys>>;
  /** The last documents of these servers as they were received. Rejects with `StorageError`. */
  documents(serverNames: readonly string[]): Promise<ServerKeyDocument[]>;
}

export interface KeyRingDeps {
  readonly runtime: Runtime;
  readonly database: Database;
  readonly transport: FederationTransport;
  /** Servers that are asked about the keys of those that do not answer, in this order; first of all, where keys of many servers are wanted at once. */
  readonly trustedKeyServers: readonly string[];
  /** They are asked first always. */
  readonly trustedKeyServersFirst?: boolean | undefined;
  /** This server: asked about itself, the ring answers from here. */
  readonly own?: { readonly serverName: string; readonly signingKey: Pick<SigningKey, 'keyId' | 'publicKey'>; readonly oldSigningKeys?: readonly RetiredKey[] | undefined };
}

/** Short at its longest: a server that is back wants to be believed soon, and one question a minute harms nobody. */
const PAUSES: BackoffBounds = { firstMs: 1000, maxMs: 60_000, factor: 2, jitter: 0.3 };
const PAUSES_MAX = 10_000;
/** A server that did not give its keys for so long is not waited for: many of a room's servers are gone for good. */
const HOPE_MS = 2 * 60_000;
/** A room with a long history has events of so many servers, many of which are gone: one question to a notary is better than as many deadlines. */
const MANY_SERVERS = 16;
/** Of one question to a notary. */
const SERVERS_ASKED_MAX = 250;

export function createKeyRing(deps: KeyRingDeps): KeyRing {
  const { runtime, database } = deps;
  const { clock, random } = runtime;
  const store = createKnownKeyStore(database, clock);
  const fetching: Fetching = {
    store, clock, trustedKeyServers: deps.trustedKeyServers,
    asking: { transport: deps.transport, clock, logger: runtime.logger },
    turns: createKeyTurns(clock),
  };
  const own = deps.own === undefined ? undefined : ownKeys(deps.own);
  const pauses = createRecent<Backoff>(PAUSES_MAX);
  const underWay = new Map<string, Promise<void>>();

  const inMemory = (serverNames: readonly string[]): ReadonlyMap<string, KnownKeys> => new Map(serverNames.flatMap((serverName) => {
    const known = serverName === own?.serverName ? own : store.get(serverName);
    return known === undefined ? [] : [[serverName, known] as const];
  }));

  function begin(wanted: readonly WantedKeys[]): void {
    const lacking = wanted.filter((one) => !suffices(store.get(one.serverName), one));
    const first = deps.trustedKeyServersFirst === true || lacking.length >= MANY_SERVERS ? throughNotaries(fetching, lacking) : undefined;
    const attempts = wanted.map(async (one) => {
      await first;
      const isGiven = first !== undefined && lacking.includes(one) && suffices(store.get(one.serverName), one);
      return { one, done: isGiven || (await direct(fetching, one)) };
    });
    const others = Promise.all(attempts).then((ended) => (first === undefined ? throughNotaries(fetching, ended.filter(({ done }) => !done).map(({ one }) => one)) : undefined));
    const startedMs = clock.now();
    for (const [index, one] of wanted.entries()) {
      const whole = attempts[index]!.then(({ done }) => (done ? undefined : others)).then(() => {
        if (suffices(store.get(one.serverName), one)) pauses.delete(one.serverName);
        else pauses.set(one.serverName, afterFailure(pauses.get(one.serverName), PAUSES, { nowMs: clock.now(), startedMs, random: random.float() }));
      }).finally(() => underWay.delete(one.serverName));
      underWay.set(one.serverName, whole);
    }
    // Whoever waits for a server hears of its failure; nobody may wait for the notaries.
    others.catch(() => undefined);
  }

  return {
    async keys(all, { fresh } = { fresh: false }) {
      const wanted = all.filter(({ serverName }) => serverName !== own?.serverName);
      const lacking = () => wanted.filter((one) => {
        const known = store.get(one.serverName);
        return !suffices(known, one) || (fresh && known !== undefined && clock.now() >= refreshAtMs(known, known.fetchedAtMs));
      });
      await store.load(lacking().map(({ serverName }) => serverName));
      const missing = lacking();
      begin(missing.filter(({ serverName }) => !underWay.has(serverName) && waitMs(pauses.get(serverName), clock.now()) === 0));
      await Promise.all(missing.map(({ serverName }) => underWay.get(serverName) ?? Promise.resolve()));
      return inMemory(all.map(({ serverName }) => serverName));
    },
    mayRecover(serverName) {
      const pause = pauses.get(serverName);
      return pause === undefined || clock.now() - pause.failingSinceMs < HOPE_MS;
    },
    async known(serverNames) {
      await store.load(serverNames.filter((serverName) => store.get(serverName) === undefined));
      return inMemory(serverNames);
    },
    documents: (serverNames) => readDocuments(database, serverNames),
  };
}

interface Fetching {
  readonly store: KnownKeyStore;
  readonly clock: Clock;
  readonly trustedKeyServers: readonly string[];
  readonly asking: Asking;
  readonly turns: KeyTurns;
}

/** The key of this server counts for ever: it is the one that signs. Those before it are known for what they have signed. */
function ownKeys({ serverName, signingKey: { keyId, publicKey }, oldSigningKeys = [] }: NonNullable<KeyRingDeps['own']>): KnownKeys {
  const validUntilMs = Number.MAX_SAFE_INTEGER;
  return { serverName, keys: new Map([...oldSigningKeys.map((key) => ownKey({ ...key, validUntilMs: key.expiredAtMs, old: true })), ownKey({ keyId, publicKey, validUntilMs, old: false })]), validUntilMs, fetchedAtMs: 0 };
}

function ownKey({ keyId, publicKey, validUntilMs, old }: ServerKey): [string, ServerKey] {
  return [keyId, { keyId, publicKey, validUntilMs, old }];
}

/** Whether the server itself gave what is wanted. */
async function direct({ turns, asking, store }: Fetching, wanted: WantedKeys): Promise<boolean> {
  const server = { name: wanted.serverName, isKnown: store.get(wanted.serverName) !== undefined };
  const keys = await turns.run(server, () => askServer(asking, wanted.serverName)).catch((error: unknown) => {
    if (error instanceof Overloaded) return undefined;
    throw error;
  });
  if (keys === undefined) return false;
  await store.save([keys]);
  return suffices(store.get(wanted.serverName), wanted);
}

/** Asks one trusted key server after the other about what is still missing, and for its own keys first when they are not known. */
async function throughNotaries(fetching: Fetching, wanted: readonly WantedKeys[]): Promise<void> {
  const { store, clock, asking } = fetching;
  for (const notary of fetching.trustedKeyServers) {
    const missing = wanted.filter((one) => one.serverName !== notary && !suffices(store.get(one.serverName), one));
    if (missing.length === 0) return;
    const nowMs = clock.now();
    const own = { serverName: notary, keyIds: [], validUntilMs: nowMs };
    if (!suffices(store.get(notary), own)) await store.load([notary]);
    if (!suffices(store.get(notary), own) && !(await direct(fetching, own))) continue;
    const publicKeyOf = (keyId: string) => {
      const key = store.get(notary)?.keys.get(keyId);
      return key !== undefined && keySignsRequestsAt(key, nowMs) ? key.publicKey : undefined;
    };
    for (let from = 0; from < missing.length; from += SERVERS_ASKED_MAX) {
      const found = await askNotary(asking, { notary, publicKeyOf, wanted: missing.slice(from, from + SERVERS_ASKED_MAX) });
      // A notary may have kept an older document than we have.
      await store.save(newestOf(found).filter(({ serverName, validUntilMs }) => validUntilMs > (store.get(serverName)?.validUntilMs ?? 0)));
    }
  }
}

function suffices(known: KnownKeys | undefined, { keyIds, validUntilMs }: WantedKeys): boolean {
  if (known === undefined) return false;
  if (keyIds.length === 0) return known.validUntilMs >= validUntilMs;
  return keyIds.every((keyId) => {
    const key = known.keys.get(keyId);
    return key !== undefined && (key.old || key.validUntilMs >= validUntilMs);
  });
}

/** A notary may give several documents of one server. */
function newestOf(found: readonly ServerKeys[]): ServerKeys[] {
  const newest = new Map<string, ServerKeys>();
  for (const one of found) {
    if (one.validUntilMs > (newest.get(one.serverName)?.validUntilMs ?? -1)) newest.set(one.serverName, one);
  }
  return [...newest.values()];
}
