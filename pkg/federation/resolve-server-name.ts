/**
 * Where a server is (spec: server-server, "Resolving server names"): the spec's steps as a machine that asks questions and takes answers, so the algorithm itself touches
 * neither names nor network. Addresses (A, AAAA, CNAME) are looked up when the connection is made, where the address policy can see what it connects to.
 */
import { parseServerName } from '../matrix/ids/server-name.ts';
import type { SrvRecord } from './srv-order.ts';

/** Port where neither name nor records say one. */
export const DEFAULT_PORT = 8448;

export interface Target {
  /** A host name, or an IP address (IPv6 without brackets). */
  readonly host: string;
  readonly port: number;
}

/** How to reach a server. */
export interface Resolved {
  /** In the order in which to try them; none: the server says that it offers no federation. */
  readonly targets: readonly Target[];
  /** Value of the Host header. */
  readonly hostHeader: string;
  /** Whom the certificate must name: a host name, which is also sent as SNI, or an IP address, which is not. */
  readonly tlsName: string;
}

/** A question of the machine, with the step of the spec that asks it. */
export type Question =
  | { readonly ask: 'well-known'; readonly hostname: string; readonly step: '3' }
  | { readonly ask: 'srv'; readonly name: string; readonly step: '3.3' | '3.4' | '4' | '5' };

/** To `well-known`: the name that the host delegates to, if it does. To `srv`: the records in the order in which to try them; none found: an empty list. */
export type Answer =
  | { readonly to: 'well-known'; readonly delegated: string | undefined }
  | { readonly to: 'srv'; readonly records: readonly SrvRecord[] };

export class ServerNameError extends Error {
  override readonly name = 'ServerNameError';
}

/** The machine: yields questions, is given their answers by `next`, returns the result. Throws `ServerNameError` for a malformed name. */
export function* resolutionSteps(serverName: string): Generator<Question, Resolved, Answer> {
  const parsed = parseServerName(serverName);
  if (parsed === undefined) throw new ServerNameError(`not a server name: ${JSON.stringify(serverName)}`);
  // Steps 1 and 2.
  if (parsed.isIpLiteral || parsed.port !== undefined) return direct(parsed, serverName);
  // Step 3.
  const hostname = parsed.host;
  const answer = yield { ask: 'well-known', hostname, step: '3' };
  const delegated = answer.to === 'well-known' ? answer.delegated : undefined;
  const parsedDelegated = delegated === undefined ? undefined : parseServerName(delegated);
  if (delegated === undefined || parsedDelegated === undefined) return yield* bySrvOrDefault(hostname, ['4', '5']);
  // Steps 3.1 and 3.2.
  if (parsedDelegated.isIpLiteral || parsedDelegated.port !== undefined) return direct(parsedDelegated, delegated);
  return yield* bySrvOrDefault(parsedDelegated.host, ['3.3', '3.4']);
}

/** An IP literal, or a host with a port: nothing more is asked. */
function direct(parsed: { host: string; port: number | undefined }, hostHeader: string): Resolved {
  return { targets: [{ host: parsed.host, port: parsed.port ?? DEFAULT_PORT }], hostHeader, tlsName: parsed.host };
}

/** Steps 3.3 to 3.5 for a delegated host name, 4 to 6 for one that delegates to nobody. Host header and certificate are those of the name asked for, not of the records' targets. */
function* bySrvOrDefault(hostname: string, [registered, deprecated]: readonly ['3.3', '3.4'] | readonly ['4', '5']): Generator<Question, Resolved, Answer> {
  const found = { hostHeader: hostname, tlsName: hostname };
  const questions: Question[] = [
    { ask: 'srv', name: `_matrix-fed._tcp.${hostname}`, step: registered },
    { ask: 'srv', name: `_matrix._tcp.${hostname}`, step: deprecated },
  ];
  for (const question of questions) {
    const answer = yield question;
    if (answer.to === 'srv' && answer.records.length > 0) return { ...found, targets: targetsOf(answer.records) };
  }
  return { ...found, targets: [{ host: hostname, port: DEFAULT_PORT }] };
}

/** The target `.` says that the service is decidedly not offered (RFC 2782). */
function targetsOf(records: readonly SrvRecord[]): Target[] {
  return records.map(({ target, port }) => ({ host: target.replace(/\.$/, ''), port })).filter(({ host }) => host !== '');
}

/** Runs the machine with effects that answer its questions. Rejects with `ServerNameError`, and with what an effect rejects with. */
export async function resolveServerName(serverName: string, effects: {
  wellKnown(hostname: string): Promise<string | undefined>;
  srv(name: string): Promise<readonly SrvRecord[]>;
}): Promise<Resolved> {
  const steps = resolutionSteps(serverName);
  let step = steps.next();
  while (step.done !== true) {
    const question = step.value;
    step = steps.next(question.ask === 'well-known'
      ? { to: 'well-known', delegated: await effects.wellKnown(question.hostname) }
      : { to: 'srv', records: await effects.srv(question.name) });
  }
  return step.value;
}
