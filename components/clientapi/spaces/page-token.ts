/** Where a page of a space's hierarchy ended: nothing is kept of it here, so that any process can go on. */
import * as z from 'zod';
import type { ChildPlace } from '../../../pkg/matrix/room-summary/space-children.ts';

/** What a token is good for: other pages of the same question. */
export interface Question {
  readonly roomId: string;
  readonly suggestedOnly: boolean;
  readonly maxDepth: number;
}

export interface PagePlace {
  /** From the space down: after which child each of the rooms on the way goes on; each is the room above the next. */
  readonly path: readonly ChildPlace[];
  /** The last of them is to be entered: its own children come first. */
  readonly entered: boolean;
}

const tokenForm = z.tuple([z.string(), z.boolean(), z.number(), z.boolean(), z.array(z.tuple([z.string().nullable(), z.number(), z.string()])).max(100)]);

export function pageToken({ roomId, suggestedOnly, maxDepth }: Question, { path, entered }: PagePlace): string {
  return Buffer.from(JSON.stringify([roomId, suggestedOnly, maxDepth, entered, path])).toString('base64url');
}

/** undefined: it is none, or one of another question. */
export function readPageToken(token: string, question: Question): PagePlace | undefined {
  let value: unknown;
  try {
    value = JSON.parse(Buffer.from(token, 'base64url').toString());
  } catch {
    return undefined;
  }
  const parsed = tokenForm.safeParse(value);
  if (!parsed.success) return undefined;
  const [roomId, suggestedOnly, maxDepth, entered, path] = parsed.data;
  return roomId === question.roomId && suggestedOnly === question.suggestedOnly && maxDepth === question.maxDepth ? { path, entered } : undefined;
}
