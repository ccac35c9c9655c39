/** Where two answers to a question differ, and which of the differences a known deviation of Synapse explains. */
import { DEVIATIONS } from './deviations.ts';
import type { Answer, Question, Refusal } from './question.ts';
import type { Oracle } from './synapse.ts';

type Part = keyof Answer;

/** One thing that was asked. */
export interface Item {
  readonly part: Part;
  readonly index: number;
}

export interface Comparison {
  /** One line for each difference that nothing explains. */
  readonly differences: readonly string[];
  /** How many differences each deviation explains. */
  readonly excused: ReadonlyMap<string, number>;
}

const EACH_ALONE = DEVIATIONS.map(({ name }) => [name]);
const ALL = DEVIATIONS.map(({ name }) => name);
const PARTS: readonly Part[] = ['byAuthEvents', 'byState', 'resolved'];

export function differingItems(ours: Answer, theirs: Answer): Item[] {
  return PARTS.flatMap((part) => ours[part].flatMap((answer, index) => (agree(part, answer, theirs[part][index]) ? [] : [{ part, index }])));
}

/** Asks Synapse again about what differs, with its deviations corrected: each alone, then all of them. */
export async function compare(oracle: Oracle, question: Question, answers: { ours: Answer; theirs: Answer }): Promise<Comparison> {
  const { ours, theirs } = answers;
  const items = differingItems(ours, theirs);
  if (items.length === 0) return { differences: [], excused: new Map() };
  const differences: string[] = [];
  const excused = new Map<string, number>();
  const again = await oracle.ask(onlyItems(question, items), [...EACH_ALONE, ALL]);
  for (const { part, index } of items) {
    const answer = ours[part][index];
    const place = items.filter((item) => item.part === part).findIndex((item) => item.index === index);
    const found = again.findIndex((corrected) => agree(part, answer, corrected[part][place]));
    if (found === -1) differences.push(describe(question, { part, index }, [answer, theirs[part][index]]));
    else excused.set(ALL[found] ?? 'several', (excused.get(ALL[found] ?? 'several') ?? 0) + 1);
  }
  return { differences, excused };
}

function onlyItems(question: Question, items: readonly Item[]): Question {
  const chosen = (part: Part): number[] => items.filter((item) => item.part === part).map(({ index }) => index);
  return {
    ...question,
    byAuthEvents: chosen('byAuthEvents').map((index) => question.byAuthEvents[index]!),
    byState: chosen('byState').map((index) => question.byState[index]!),
    meetings: chosen('resolved').map((index) => question.meetings[index]!),
  };
}

/** Reasons need not be the same; what is not an answer at all agrees with nothing. */
function agree(part: Part, ours: unknown, theirs: unknown): boolean {
  if (isThrown(ours)) return false;
  return part === 'resolved' ? JSON.stringify(ours) === JSON.stringify(theirs) : (ours === null) === (theirs === null);
}

function isThrown(answer: unknown): boolean {
  return typeof answer === 'string' && answer.startsWith('THROWN');
}

function describe(question: Question, { part, index }: Item, [ours, theirs]: readonly [unknown, unknown]): string {
  if (part === 'resolved') return `meeting ${index}: ${slotsThatDiffer(question, ours, theirs)}`;
  const { id, pdu } = question.events[part === 'byState' ? question.byState[index]!.event : question.byAuthEvents[index]!]!;
  const said = (refusal: Refusal): string => refusal ?? 'allowed';
  return `${part} ${index}: ${pdu.type} ${id} ${JSON.stringify(pdu.content).slice(0, 200)}: ${said(ours as Refusal)}; Synapse: ${said(theirs as Refusal)}`;
}

function slotsThatDiffer(question: Question, ours: unknown, theirs: unknown): string {
  if (typeof ours === 'string' || typeof theirs === 'string') return `${JSON.stringify(ours).slice(0, 200)}; Synapse: ${JSON.stringify(theirs).slice(0, 200)}`;
  const names = (state: unknown, other: unknown): string => {
    const places = (state as number[]).filter((place) => !(other as number[]).includes(place));
    return places.map((place) => `${place} ${question.events[place]!.pdu.type}/${String(question.events[place]!.pdu.state_key)}`).join(', ');
  };
  return `has ${names(ours, theirs) || 'no more'}; Synapse has ${names(theirs, ours) || 'no more'}`;
}
