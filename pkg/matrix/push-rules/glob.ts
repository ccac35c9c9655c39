/**
 * Globs of push rules (spec: appendices, "Glob-style matching"): `*` stands for any characters, also none, `?` for exactly one. Letters match in either case. A pattern is cut at its
 * stars, and each piece is looked for once, from left to right: no pattern makes a match go back.
 */

/** Whether a text matches. */
export type GlobTest = (text: string) => boolean;

/** The whole text has to match. */
export function wholeGlob(pattern: string): GlobTest {
  const pieces = piecesOf(pattern);
  return (text) => matchesWhole(pieces, charactersOf(text.toLowerCase(), pieces));
}

/** Some part of the text has to match that begins and ends at word boundaries (spec: client-server, "Push Rules", `event_match` on `content.body`). */
export function wordGlob(pattern: string): GlobTest {
  const pieces = piecesOf(pattern);
  return (text) => matchesWords(pieces, charactersOf(text.toLowerCase(), pieces));
}

/** The same for a text that is no pattern. */
export function wordText(wanted: string): GlobTest {
  const pieces: Pieces = { list: [wanted.toLowerCase()], byCharacter: false };
  return (text) => matchesWords(pieces, charactersOf(text.toLowerCase(), pieces));
}

interface Pieces {
  /** What stands between the stars; a piece at either end is empty where the pattern begins or ends with one. */
  readonly list: readonly Text[];
  /** A question mark is a character, however many units it is encoded in. */
  readonly byCharacter: boolean;
}

type Text = string | readonly string[];

function piecesOf(pattern: string): Pieces {
  const pieces = pattern.toLowerCase().split('*');
  // Several stars are one.
  const list = pieces.filter((piece, index) => piece !== '' || index === 0 || index === pieces.length - 1);
  const byCharacter = pattern.includes('?');
  return { list: byCharacter ? list.map((piece) => [...piece]) : list, byCharacter };
}

function charactersOf(text: string, { byCharacter }: Pieces): Text {
  return byCharacter ? [...text] : text;
}

function matchesWhole({ list }: Pieces, text: Text): boolean {
  const [first, last] = [list[0]!, list.at(-1)!];
  if (list.length === 1) return first.length === text.length && isAt(text, first, 0);
  const end = text.length - last.length;
  if (end < first.length || !isAt(text, first, 0) || !isAt(text, last, end)) return false;
  let from = first.length;
  for (const piece of list.slice(1, -1)) {
    const at = find(text, piece, from);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return from <= end;
}

/** The leftmost place of each piece leaves the most room for the next; only the ends have to be boundaries. */
function matchesWords({ list }: Pieces, text: Text): boolean {
  let from = 0;
  for (const [index, piece] of list.entries()) {
    const starts = index === 0 && (piece.length > 0 || list.length === 1);
    const ends = index === list.length - 1 && (piece.length > 0 || list.length === 1);
    let at = find(text, piece, from);
    while (at >= 0 && !((!starts || isBoundary(text, at)) && (!ends || isBoundary(text, at + piece.length)))) at = find(text, piece, at + 1);
    if (at < 0) return false;
    from = at + piece.length;
  }
  return true;
}

function find(text: Text, piece: Text, from: number): number {
  if (typeof text === 'string' && typeof piece === 'string') return from > text.length ? -1 : text.indexOf(piece, from);
  for (let at = from; at + piece.length <= text.length; at += 1) if (isAt(text, piece, at)) return at;
  return -1;
}

function isAt(text: Text, piece: Text, at: number): boolean {
  if (typeof text === 'string' && typeof piece === 'string') return text.startsWith(piece, at);
  for (let index = 0; index < piece.length; index += 1) if (piece[index] !== '?' && piece[index] !== text[at + index]) return false;
  return true;
}

const WORD = /^[A-Za-z0-9_]$/;

function isBoundary(text: Text, at: number): boolean {
  if (at === 0 || at >= text.length) return true;
  return !WORD.test(text[at - 1]!) || !WORD.test(text[at]!);
}
