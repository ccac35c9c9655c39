/** Which servers a room lets in (spec: client-server, "Server Access Control Lists (ACLs) for rooms"). */
import { globMatches } from '../ids/server-glob.ts';
import { parseServerName } from '../ids/server-name.ts';

/** Whether the content of the room's `m.room.server_acl` event (undefined: there is none) lets `serverName` take part. What is no server name may not. */
export function aclAllows(content: Readonly<Record<string, unknown>> | undefined, serverName: string): boolean {
  if (content === undefined) return true;
  const parsed = parseServerName(serverName);
  if (parsed === undefined) return false;
  if (parsed.isIpLiteral && content['allow_ip_literals'] === false) return false;
  const host = serverName.replace(/:\d+$/, '');
  if (patternsOf(content['deny']).some((pattern) => globMatches(pattern, host))) return false;
  return patternsOf(content['allow']).some((pattern) => globMatches(pattern, host));
}

function patternsOf(list: unknown): string[] {
  return Array.isArray(list) ? list.filter((entry): entry is string => typeof entry === 'string') : [];
}
