/** Patterns of server names, in access lists of rooms and in settings. */

/** `*` stands for any characters, `?` for one; case does not count. Takes time by the product of both lengths at most, whoever writes the pattern. */
export function globMatches(pattern: string, text: string): boolean {
  const [wanted, given] = [pattern.toLowerCase(), text.toLowerCase()];
  let [at, star, resume] = [0, -1, 0];
  for (let i = 0; i < given.length;) {
    if (wanted[at] === '*') [star, resume, at] = [at, i, at + 1];
    else if (at < wanted.length && (wanted[at] === '?' || wanted[at] === given[i])) [at, i] = [at + 1, i + 1];
    else if (star >= 0) [at, resume, i] = [star + 1, resume + 1, resume + 1];
    else return false;
  }
  return /^\**$/.test(wanted.slice(at));
}
