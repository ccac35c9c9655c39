/** Faults that the comparison must find: each is put into a copy of the library, which then answers the questions that Synapse has answered. */
import assert from 'node:assert/strict';
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath, pathToFileURL } from 'node:url';
import { differingItems } from './compare.ts';
import type { Answer, Question } from './question.ts';
import type { Judged } from './run-rooms.ts';

export interface Fault {
  readonly name: string;
  readonly file: string;
  readonly from: string;
  readonly to: string;
}

export const FAULTS: readonly Fault[] = [
  { name: 'who is banned may join', file: 'pkg/matrix/auth/authorize-member.ts', from: "if (targetBefore === 'ban') return", to: "if (targetBefore === 'banned') return" },
  { name: 'who is as powerful may be kicked', file: 'pkg/matrix/auth/authorize-member.ts', from: '< member.senderPower ? undefined', to: '<= member.senderPower ? undefined' },
  { name: 'a restricted room is by invitation only', file: 'pkg/matrix/auth/authorize-member.ts', from: 'return mayInvite ? ALLOWED', to: 'return mayInvite && mayInvite !== true ? ALLOWED' },
  { name: 'who is invited may knock', file: 'pkg/matrix/auth/authorize-member.ts', from: "return senderBefore === 'invite' || senderBefore === 'join'", to: "return senderBefore === 'join'" },
  { name: "users of the sender's power may be changed", file: 'pkg/matrix/auth/authorize-power-levels.ts', from: 'before >= senderPower', to: 'before > senderPower' },
  { name: 'changes of notification levels are not looked at', file: 'pkg/matrix/auth/authorize-power-levels.ts', from: "? ['events', 'notifications'] : ['events']", to: "? ['events'] : ['events']" },
  { name: 'additional creators have no power', file: 'pkg/matrix/auth/power-levels.ts', from: 'return [create.sender, ...additional', to: 'return [create.sender, ...[].concat(additional as never).slice(0, 0)' },
  { name: 'a third-party invite counts for anybody', file: 'pkg/matrix/auth/authorize-third-party-invite.ts', from: 'if (invite.sender !== member.event.sender)', to: "if (invite.sender === '')" },
  { name: 'auth events may have been rejected', file: 'pkg/matrix/auth/check-auth-events.ts', from: 'if (rejected) return', to: 'if (rejected && !rejected) return' },
  { name: 'everybody may redact', file: 'pkg/matrix/auth/authorize.ts', from: "senderPower >= actionPower(power, 'redact') ||", to: "senderPower >= actionPower(power, 'redact') - 100 ||" },
  { name: 'kicks and bans are no power events', file: 'pkg/matrix/state-res/event-facts.ts', from: "=== 'leave' || event.content.membership === 'ban'", to: "=== 'kick'" },
  { name: 'the less powerful come first', file: 'pkg/matrix/state-res/power-order.ts', from: 'x.power > y.power ? -1 : 1', to: 'x.power < y.power ? -1 : 1' },
  { name: 'the mainline is read from its other end', file: 'pkg/matrix/state-res/mainline-order.ts', from: 'y.position - x.position', to: 'x.position - y.position' },
  { name: 'the auth difference is left out', file: 'pkg/matrix/state-res/resolve-v2.ts', from: 'for (const eventId of authDifference) full.add(eventId);', to: 'void authDifference;' },
  { name: 'the conflicted subgraph is left out', file: 'pkg/matrix/state-res/resolve-v2.ts', from: 'for (const eventId of subgraph) full.add(eventId);', to: 'void subgraph;' },
  { name: 'version 2.1 starts from the unconflicted state', file: 'pkg/matrix/state-res/resolve-v2.ts', from: "=== 'v2.1' ? (): undefined => undefined : unconflicted", to: "=== 'v1' ? (): undefined => undefined : unconflicted" },
  { name: 'version 1 takes the newest first', file: 'pkg/matrix/state-res/resolve-v1.ts', from: 'x.event.depth - y.event.depth', to: 'y.event.depth - x.event.depth' },
  { name: 'the older of two events has the later time', file: 'pkg/matrix/state-res/power-order.ts', from: 'x.event.origin_server_ts - y.event.origin_server_ts', to: 'y.event.origin_server_ts - x.event.origin_server_ts' },
];

const REPOSITORY = fileURLToPath(new URL('../../', import.meta.url));
const JUDGE = 'test/differential/judge.ts';

/** How the copy with that fault judges. Throws when the source does not hold the text exactly once. */
export async function faultyJudge({ file, from, to }: Fault): Promise<{ judge: (question: Question) => Answer; remove: () => void }> {
  const copy = mkdtempSync(join(tmpdir(), 'myelin-fault-'));
  const remove = (): void => { rmSync(copy, { recursive: true, force: true }); };
  try {
    cpSync(join(REPOSITORY, 'pkg/matrix'), join(copy, 'pkg/matrix'), { recursive: true });
    mkdirSync(join(copy, 'test/differential'), { recursive: true });
    for (const path of [JUDGE, 'package.json']) cpSync(join(REPOSITORY, path), join(copy, path));
    symlinkSync(join(REPOSITORY, 'node_modules'), join(copy, 'node_modules'));
    const text = readFileSync(join(copy, file), 'utf8');
    assert.equal(text.split(from).length, 2, `${file} has the text to change exactly once`);
    writeFileSync(join(copy, file), text.replace(from, () => to));
    const { judge } = await import(pathToFileURL(join(copy, JUDGE)).href) as { judge: (question: Question) => Answer };
    return { judge, remove };
  } catch (error) {
    remove();
    throw error;
  }
}

/** The first room in which that judge says something else than Synapse although the library says the same; undefined when there is none. */
export function firstRoomToTell(judge: (question: Question) => Answer, rooms: readonly Judged[]): number | undefined {
  return rooms.find(({ question, ours, theirs }) => {
    const known = differingItems(ours, theirs);
    return differingItems(judge(question), theirs).some(({ part, index }) => !known.some((item) => item.part === part && item.index === index));
  })?.room;
}
