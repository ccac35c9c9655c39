/** Asks both sides about rooms and counts what they say. */
import { compare } from './compare.ts';
import { addCounts } from './coverage.ts';
import type { Counter, FileCounts } from './coverage.ts';
import { judge } from './judge.ts';
import type { Answer, Question } from './question.ts';
import { randomQuestion, versionOfRoom, VERSIONS } from './random-question.ts';
import type { Oracle } from './synapse.ts';

/** Questions that Synapse has not answered yet while the next one is made: enough to keep both processes busy. */
const IN_FLIGHT_MAX = 4;

export interface Judged {
  readonly room: number;
  readonly question: Question;
  readonly ours: Answer;
  readonly theirs: Answer;
}

export interface TypeTally {
  allowed: number;
  refused: number;
}

export interface VersionTally {
  rooms: number;
  /** Events of the rooms. */
  events: number;
  /** Events judged by their auth events or in a state. */
  judgements: number;
  resolutions: number;
  /** Those of them where the states differ. */
  conflicts: number;
}

export interface Findings {
  /** By version. */
  readonly versions: Map<string, VersionTally>;
  /** By event type, also of events of no room. */
  readonly types: Map<string, TypeTally>;
  /** The most sides that met in one resolution. */
  widthMax: number;
  /** Differences that a known deviation explains. */
  readonly excused: Map<string, number>;
  /** The others. */
  readonly differences: string[];
  /** By version: how often each piece of the source was run. Empty without a counter. */
  readonly coverage: Map<string, FileCounts[]>;
  /** The pieces there are: V8 says once only what was not run. */
  readonly pieces: readonly FileCounts[];
}

export interface RunRooms {
  readonly from: number;
  readonly rooms: number;
  readonly oracle: Oracle;
  readonly counter?: Counter;
  readonly onRoom?: (judged: Judged) => void;
}

/** The rooms of successive numbers, one version after the other. */
export async function runRooms({ from, rooms, oracle, counter, onRoom }: RunRooms): Promise<Findings> {
  const findings: Findings = { versions: new Map(), types: new Map(), widthMax: 0, excused: new Map(), differences: [], coverage: new Map(), pieces: await counter?.take() ?? [] };
  for (const version of VERSIONS) {
    const numbers = Array.from({ length: rooms }, (_, index) => from + index).filter((room) => versionOfRoom(room) === version);
    const inFlight = new Set<Promise<void>>();
    for (const room of numbers) {
      const question = randomQuestion(room);
      const ours = judge(question);
      const asked = askBoth({ room, question, ours }, oracle, findings).then((judged) => {
        inFlight.delete(asked);
        onRoom?.(judged);
      });
      inFlight.add(asked);
      if (inFlight.size >= IN_FLIGHT_MAX) await Promise.race(inFlight);
    }
    await Promise.all(inFlight);
    if (counter !== undefined && numbers.length > 0) findings.coverage.set(version, await counter.take());
  }
  return findings;
}

/** The coverage of all versions together. */
export function sumOfCoverage({ coverage, pieces }: Findings): FileCounts[] {
  const sum = new Map<string, FileCounts>();
  addCounts(sum, pieces);
  for (const taken of coverage.values()) addCounts(sum, taken);
  return [...sum.values()];
}

async function askBoth(asked: Omit<Judged, 'theirs'>, oracle: Oracle, findings: Findings): Promise<Judged> {
  const [theirs] = await oracle.ask(asked.question, [[]]);
  const judged = { ...asked, theirs: theirs as Answer };
  const { differences, excused } = await compare(oracle, asked.question, judged);
  findings.differences.push(...differences.map((line) => `room ${asked.room} (v${asked.question.version}) ${line}`));
  for (const [name, count] of excused) findings.excused.set(name, (findings.excused.get(name) ?? 0) + count);
  tally(findings, judged);
  return judged;
}

function tally(findings: Findings, { question, ours }: Judged): void {
  const before = findings.versions.get(question.version) ?? { rooms: 0, events: 0, judgements: 0, resolutions: 0, conflicts: 0 };
  const differ = (sets: readonly (readonly number[])[]): boolean => sets.some((set) => set.length !== sets[0]!.length || set.some((place) => !sets[0]!.includes(place)));
  findings.versions.set(question.version, {
    rooms: before.rooms + 1,
    events: before.events + question.byAuthEvents.length,
    judgements: before.judgements + question.byAuthEvents.length + question.byState.length,
    resolutions: before.resolutions + question.meetings.length,
    conflicts: before.conflicts + question.meetings.filter(differ).length,
  });
  findings.widthMax = Math.max(findings.widthMax, ...question.meetings.map((sets) => sets.length));
  question.byAuthEvents.forEach((place, index) => {
    const { pdu, rejected } = question.events[place]!;
    const counts = findings.types.get(pdu.type) ?? { allowed: 0, refused: 0 };
    if (rejected || ours.byAuthEvents[index] !== null) counts.refused++;
    else counts.allowed++;
    findings.types.set(pdu.type, counts);
  });
}
