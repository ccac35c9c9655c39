/**
 * Sums of what notifies, so that how much lies behind any place of a room is read from a few hundred rows, however much it is. For each audience of a room there is a tree: leaves are
 * events, by their order keys; 128 leaves make a branch, 128 branches a bough. Every node has the counts of one thread, and names its `parent`, by which it is read.
 *
 * An *audience* is all who are told the same of an event: a group of users with equal rules, or one user, whose leaves say what they are told otherwise than their group. `ALL` is the group of
 * those who have not changed their rules.
 */

export const ALL = '#';
export const MAIN = 'main';
const BITS = 7;
const LEVELS = 2;

export interface UnreadCounts {
  notify: number;
  highlight: number;
}

/** A row of `unread_nodes`. */
export type NodeRow = { parent: string; start: number; thread_id: string; level: number; notify: number; highlight: number; sequence: number };

/** Where leaves and sums of one audience stand. */
export interface Tree {
  readonly roomId: string;
  readonly audience: string;
}

/** The node that has the leaf, or holds its sum, at a level; leaves are level 0. */
export function nodeAt({ roomId, audience }: Tree, level: number, orderKey: number): { parent: string; start: number } {
  const start = shifted(orderKey, level);
  return { start, parent: JSON.stringify([roomId, audience, level, level === LEVELS ? 0 : shifted(orderKey, level + 1)]) };
}

export const LEVEL_NUMBERS: readonly number[] = Array.from({ length: LEVELS + 1 }, (_, level) => level);

/** Order keys are beyond what bit operations take. */
function shifted(orderKey: number, level: number): number {
  return Math.floor(orderKey / 2 ** (BITS * level));
}

/** First order key that a node at a level does not hold any more. */
export function endOf(level: number, start: number): number {
  return (start + 1) * 2 ** (BITS * level);
}

/** Parents of the nodes that together hold what comes after `orderKey`. */
export function parentsAfter(tree: Tree, orderKey: number): string[] {
  return LEVEL_NUMBERS.map((level) => nodeAt(tree, level, orderKey).parent);
}

/** By thread, what comes after `orderKey`, from the nodes of `parentsAfter`. */
export function countAfter(nodes: ReadonlyMap<string, readonly NodeRow[]>, tree: Tree, orderKey: number): Map<string, UnreadCounts> {
  const counts = new Map<string, UnreadCounts>();
  for (const level of LEVEL_NUMBERS) {
    const { parent, start } = nodeAt(tree, level, orderKey);
    for (const node of nodes.get(parent) ?? []) if (node.start > start) addTo(counts, node.thread_id, node);
  }
  return counts;
}

export function addTo(counts: Map<string, UnreadCounts>, thread: string, more: Readonly<UnreadCounts>, sign = 1): void {
  const present = counts.get(thread) ?? { notify: 0, highlight: 0 };
  counts.set(thread, { notify: present.notify + sign * more.notify, highlight: present.highlight + sign * more.highlight });
}
