/**
 * `hostile-peers`: what hostile servers cost those who have nothing to do with them, one kind of hostility after the other, and all at once: sends by a user in a room of her own and their delivery
 * to a good server, at a steady pace, without and with them; how long a server that nobody has met needs to join meanwhile; peak memory. Each kind has a fresh server.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { register } from '../../test/e2e/api-client.ts';
import { neighbourhood } from '../../test/e2e/peers.ts';
import { goodServer, measure, newRoom, startHostile, stir, VICTIM_ENV, type Measured } from '../../test/faults/hostile-stand.ts';
import { KINDS, type Harm } from '../../test/faults/hostile-kinds.ts';
import { cpuSeconds, forgetPeak, residentMb } from '../process-usage.ts';
import { rounded } from '../statistics.ts';
import type { Figures, Row } from '../workload.ts';

const INVITES = 10_000;
const WARM_UP_MS = 3000;

/** `only`: kinds with commas; all of them, and each together with the others, when it is empty. */
export async function hostilePeersWorkload({ seconds, only }: { seconds: number; only: string }): Promise<Row[]> {
  const kinds: readonly Harm[] = [...KINDS, 'stranger'];
  const cases: readonly { what: string; harms: readonly Harm[] }[] = [...kinds.map((kind) => ({ what: kind as string, harms: [kind] })), { what: 'all at once', harms: kinds }];
  const wanted = only === '' ? cases : cases.filter(({ what }) => only.split(',').includes(what));
  const rows: Row[] = [];
  for (const { what, harms } of wanted) {
    console.log(`${what} …`);
    rows.push({ mode: 'embedded + SQLite', what, runs: [await attackedBy(harms, seconds * 1000)] });
  }
  return rows;
}

async function attackedBy(harms: readonly Harm[], ms: number): Promise<Figures> {
  const place = neighbourhood();
  const closing: (() => void)[] = [];
  try {
    const victim = await place.start('Myelin', { env: VICTIM_ENV });
    const [alice, bait] = [await register(victim.baseUrl, 'alice'), await register(victim.baseUrl, 'bait')];
    const [good, unmet] = [await goodServer(place.authority, victim.serverName), await goodServer(place.authority, victim.serverName)];
    const room = await newRoom(alice);
    await good.peer.join(room, `@bob:${good.peer.name}`);
    const hostile = await startHostile(place.authority, { target: victim.serverName, victim: bait.userId, invites: INVITES });
    closing.push(() => hostile.kill(), () => good.peer.close(), () => unmet.peer.close());
    const all = Object.entries(hostile.names);
    const traps = await Promise.all(all.map(() => newRoom(bait)));
    await hostile.order(`join ${traps.join(',')}`);
    const stirred = all.flatMap(([kind, name], index) => (harms.includes(kind as Harm) ? [{ name, trap: traps[index]! }] : []));
    const stirring = stir(bait, stirred.map(({ trap }) => trap), stirred.map(({ name }) => name));
    await measure(alice, good, { room, ms: WARM_UP_MS });
    const quiet = await withCores(victim.pid!, () => measure(alice, good, { room, ms }));
    forgetPeak(victim.pid!);
    const before = residentMb(victim.pid!).now;
    await hostile.order(`attack ${harms.join(',')}`);
    const joining = sleep(ms / 2).then(() => timed(() => unmet.peer.join(room, `@carol:${unmet.peer.name}`)));
    // Heard of where it is waited for.
    joining.catch(() => undefined);
    const attacked = await withCores(victim.pid!, () => measure(alice, good, { room, ms }));
    const joinMs = await joining;
    await stirring.stop();
    const counts = await hostile.stop();
    const { peak } = residentMb(victim.pid!);
    return {
      ...named('quiet', quiet), ...named('attacked', attacked), joinMs, peakMb: rounded(peak, 0), grownMb: rounded(peak - before, 0), lost: quiet.lost + attacked.lost,
      invites: Object.values(counts.invites).reduce((sum, count) => sum + count, 0), invitesTaken: counts.invites['200'] ?? 0,
    };
  } finally {
    for (const close of closing) close();
    await place.stop();
  }
}

function named(when: 'quiet' | 'attacked', { sent, delivered, cores }: Measured & { cores: number }): Figures {
  return { [`${when}SendP99Ms`]: sent.p99, [`${when}DeliveryP99Ms`]: delivered.p99, [`${when}Cores`]: cores };
}

/** Adds what share of a core a process took meanwhile: tells a busy server from a busy machine. */
async function withCores<T extends object>(pid: number, work: () => Promise<T>): Promise<T & { cores: number }> {
  const [before, began] = [cpuSeconds(pid), performance.now()];
  const result = await work();
  return { ...result, cores: rounded(((cpuSeconds(pid) - before) * 1000) / (performance.now() - began)) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return Math.round(performance.now() - began);
}
