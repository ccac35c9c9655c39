/**
 * `hostile-peers`: what hostile servers cost those who have nothing to do with them, one kind of hostility after the other, and all at once: sends by a user in a room of her own and their delivery
 * to a good server, at a steady pace, without and with them; how long a server that nobody has met needs to join meanwhile; peak memory. Each kind has a fresh server.
 */
import { setTimeout as sleep } from 'node:timers/promises';
import { register } from '../../test/e2e/api-client.ts';
import { neighbourhood } from '../../test/e2e/peers.ts';
import { goodServer, measure, newRoom, startHostile, stir, VICTIM_ENV, type Measured } from '../../test/faults/hostile-stand.ts';
import { KINDS, type Harm } from '../../test/faults/hostile-kinds.ts';
import { cpuSeconds, forgetPeak, residentMb, waitedSeconds } from '../process-usage.ts';
import { rounded } from '../statistics.ts';
import { inModes, type Asked, type Figures, type Row } from '../workload.ts';
import type { ServerMode } from '../subject.ts';

const INVITES = 10_000;
const WARM_UP_MS = 3000;

/** `kinds`: those with commas; all of them, and each together with the others, when it is empty. */
export function hostilePeersWorkload(asked: Asked): Promise<Row[]> {
  const only = asked.text('kinds') ?? '';
  const kinds: readonly Harm[] = [...KINDS, 'stranger'];
  const cases: readonly { what: string; harms: readonly Harm[] }[] = [...kinds.map((kind) => ({ what: kind as string, harms: [kind] })), { what: 'all at once', harms: kinds }];
  const wanted = only === '' ? cases : cases.filter(({ what }) => only.split(',').includes(what));
  return inModes(asked, async (mode) => {
    if (!mode.isOneProcess) return [];
    const rows: Row[] = [];
    for (const { what, harms } of wanted) {
      console.log(`${mode.name}: ${what} …`);
      rows.push({ mode: mode.name, what, runs: [await attackedBy(mode, harms, asked.seconds * 1000)] });
    }
    return rows;
  });
}

async function attackedBy(mode: ServerMode, harms: readonly Harm[], ms: number): Promise<Figures> {
  const place = neighbourhood();
  const closing: (() => void)[] = [];
  try {
    const victim = await place.start('Myelin', { mode, ownTls: true, env: VICTIM_ENV });
    const [alice, bait] = [await register(victim.baseUrl, 'alice'), await register(victim.baseUrl, 'bait')];
    const [good, unmet] = [await goodServer(place.authority, victim.serverName), await goodServer(place.authority, victim.serverName)];
    const pid = victim.pids[0]!;
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
    const quiet = await withShares(pid, () => measure(alice, good, { room, ms }));
    forgetPeak(pid);
    const before = residentMb(pid).now;
    await hostile.order(`attack ${harms.join(',')}`);
    const joining = sleep(ms / 2).then(() => timed(() => unmet.peer.join(room, `@carol:${unmet.peer.name}`)));
    // Heard of where it is waited for.
    joining.catch(() => undefined);
    const attacked = await withShares(pid, () => measure(alice, good, { room, ms }));
    const joinMs = await joining;
    await stirring.stop();
    const counts = await hostile.stop();
    const { peak } = residentMb(pid);
    return {
      ...named('quiet', quiet), ...named('attacked', attacked), joinMs, peakMb: rounded(peak, 0), grownMb: rounded(peak - before, 0), lost: quiet.lost + attacked.lost,
      invites: Object.values(counts.invites).reduce((sum, count) => sum + count, 0), invitesTaken: counts.invites['200'] ?? 0,
    };
  } finally {
    for (const close of closing) close();
    await place.stop();
  }
}

function named(when: 'quiet' | 'attacked', { sent, delivered, cores, waited }: Measured & Shares): Figures {
  return { [`${when}SendP99Ms`]: sent.p99, [`${when}DeliveryP99Ms`]: delivered.p99, [`${when}Cores`]: cores, [`${when}WaitedPercent`]: waited };
}

interface Shares {
  /** Of a core that the process took. */
  readonly cores: number;
  /** Of the time, in percent, for which it waited for a core: tells a busy machine from a busy server. */
  readonly waited: number;
}

async function withShares<T extends object>(pid: number, work: () => Promise<T>): Promise<T & Shares> {
  const [cpu, waited, began] = [cpuSeconds(pid), waitedSeconds(pid), performance.now()];
  const result = await work();
  const seconds = (performance.now() - began) / 1000;
  return { ...result, cores: rounded((cpuSeconds(pid) - cpu) / seconds), waited: rounded((100 * (waitedSeconds(pid) - waited)) / seconds, 1) };
}

async function timed(work: () => Promise<unknown>): Promise<number> {
  const began = performance.now();
  await work();
  return Math.round(performance.now() - began);
}
