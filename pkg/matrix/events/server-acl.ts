/** Which servers a room lets in (spec: client-server, "Server Access Control Lists (ACLs) for rooms"). */
import { parseServerName } from '../ids/server-name.ts';

/** Whether the content of the room's `m.room.server_acl` event (undefined: there is none) lets `serverName` take part. What is no server name may not. */
export function aclAllows(content: Readonly<Record<string, unknown>> | undefined, serverName: string): boolean {
  if (content === undefined) return true;
  const parsed = parseServerName(serverName);
  if (parsed === undefined) return false;
  if (parsed.isIpLiteral && content['allow_ip_literals'] === false) return false;
  const host = serverName.replace(/:\d+$/, '');
  if (patternsOf(content['deny']).some((pattern) => matches(pattern, host))) return false;
  return patternsOf(content['allow']).some((pattern) => matches(pattern, host));
}

function patternsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((entry): entry is string => typeof entry === 'string') : [];
}

/** `*` stands for any characters, `?` for one. Takes time by the product of both lengths at most, whatever a room's moderators write. */
function matches(pattern: string, text: string): boolean {
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
