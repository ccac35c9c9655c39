/** Walks through a space depth first, a page at a time (spec: client-server, GET /rooms/{roomId}/hierarchy). */
import { comparePlaces, isSuggested, placeOf, viaOf, type ChildPlace, type SpaceChild } from '../../../pkg/matrix/room-summary/space-children.ts';
import { SPACE, type Described, type Describer, type Wanted } from './describe-rooms.ts';
import type { PagePlace, Question } from './page-token.ts';

/** A space that the walk is in. */
interface Level {
  readonly room: Described;
  readonly children: readonly SpaceChild[];
  /** Which child is next. */
  next: number;
}

export interface HierarchyPage {
  readonly rooms: readonly Described[];
  /** Absent: that was all. */
  readonly end?: PagePlace;
}

export interface PageWish {
  readonly question: Question;
  readonly describer: Describer;
  readonly limit: number;
  readonly from: PagePlace | undefined;
}

/** Children that are described together, and looked at without finding one for the page; what goes beyond ends the page. */
const AHEAD_MAX = 50;
const LOOKED_AT_MAX = 500;

/** A room is given once a page; one that contains itself is not entered again. */
export async function walkPage({ question, describer, limit, from }: PageWish, root: Described): Promise<HierarchyPage> {
  const levels: Level[] = question.maxDepth > 0 ? [enter(question, root)] : [];
  const rooms: Described[] = from === undefined ? [root] : [];
  const given = new Set([question.roomId]);
  if (from !== undefined) await goTo(levels, { question, describer, from });
  for (let lookedAt = 0; rooms.length < limit && lookedAt < LOOKED_AT_MAX; lookedAt += 1) {
    const level = levels.at(-1);
    if (level === undefined) break;
    const child = level.children[level.next];
    if (child === undefined) {
      levels.pop();
      continue;
    }
    const room = given.has(child.state_key) ? 'hidden' : await describe(describer, level, limit - rooms.length);
    if (room === undefined) break;
    level.next += 1;
    if (room === 'hidden') continue;
    given.add(child.state_key);
    rooms.push(room);
    if (mayEnter(question, levels, room)) levels.push(enter(question, room));
  }
  return levels.some(({ children, next }) => next < children.length) ? { rooms, end: placeIn(levels) } : { rooms };
}

function enter({ suggestedOnly }: Question, room: Described): Level {
  return { room, children: suggestedOnly ? room.children.filter(isSuggested) : room.children, next: 0 };
}

function mayEnter({ maxDepth }: Question, levels: readonly Level[], { summary }: Described): boolean {
  return summary.room_type === SPACE && levels.length < maxDepth && levels.every(({ room }) => room.summary.room_id !== summary.room_id);
}

/** The next child, and with it those after it that fit on the page. undefined: there was no time left to ask for it. */
async function describe(describer: Describer, level: Level, ahead: number): Promise<Described | 'hidden' | undefined> {
  const { state_key: roomId } = level.children[level.next]!;
  if (describer.known(roomId) === undefined) await describer.describe(level.children.slice(level.next, level.next + Math.min(ahead, AHEAD_MAX)).map((child) => wanted(level, child)));
  return describer.known(roomId);
}

function wanted({ room }: Level, child: SpaceChild): Wanted {
  return { roomId: child.state_key, via: viaOf(child), told: room.told };
}

/** Takes up the walk where a page ended. Where a space on the way is gone, what would have come after it is next. */
async function goTo(levels: Level[], { question, describer, from }: { question: Question; describer: Describer; from: PagePlace }): Promise<void> {
  for (const [index, place] of from.path.entries()) {
    const level = levels.at(-1);
    if (level === undefined) return;
    const at = level.children.findIndex((child) => comparePlaces(placeOf(child), place) > 0);
    level.next = at < 0 ? level.children.length : at;
    if (index === from.path.length - 1 && !from.entered) return;
    const child = level.children.find(({ state_key: roomId }) => roomId === place[2]);
    if (child === undefined) return;
    await describer.describe([wanted(level, child)]);
    const room = describer.known(child.state_key);
    if (room === undefined || room === 'hidden' || !mayEnter(question, levels, room)) return;
    levels.push(enter(question, room));
  }
}

function placeIn(levels: readonly Level[]): PagePlace {
  const path = levels.flatMap(({ children, next }): ChildPlace[] => (next === 0 ? [] : [placeOf(children[next - 1]!)]));
  return { path, entered: levels.at(-1)!.next === 0 };
}
