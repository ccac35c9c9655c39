/** Servers that know only the first version of send_join, send_leave and invite, which answers with a status and the object in a list. */
import { FederationError } from '../../../pkg/federation/transport.ts';
import type { NeedJob, NeedTools, Question } from './job.ts';

export interface EitherVersion {
  readonly endpoint: 'send_join' | 'send_leave' | 'invite';
  readonly eventId: string;
  readonly question: Omit<Question, 'method' | 'path' | 'answersInPair'>;
  /** What the old endpoint is sent instead of the question's body. */
  readonly olderBody?: Question['body'];
  /** Whether the failure may be that of a server which does not know the endpoint. */
  readonly isTooNew?: (error: FederationError) => boolean;
}

/** The answer to a PUT to the second version of the endpoint, or else to the first. Rejects as `ask` does, with the first failure where both fail alike. */
export async function askEitherVersion(tools: Pick<NeedTools, 'ask'>, job: NeedJob, { endpoint, eventId, question, olderBody, isTooNew = isUnknownEndpoint }: EitherVersion): Promise<Readonly<Record<string, unknown>>> {
  const path = (version: string): string => `/_matrix/federation/${version}/${endpoint}/${encodeURIComponent(job.roomId)}/${encodeURIComponent(eventId)}`;
  try {
    return await tools.ask(job, { ...question, method: 'PUT', path: path('v2') });
  } catch (error) {
    if (!(error instanceof FederationError) || !isTooNew(error)) throw error;
    return tools.ask(job, { ...question, ...(olderBody !== undefined && { body: olderBody }), method: 'PUT', path: path('v1'), answersInPair: true }).catch((second: unknown) => {
      throw second instanceof FederationError && isUnknownEndpoint(second) ? error : second;
    });
  }
}

/** Spec: server-server, "Unsupported endpoints"; old servers answer without an error code. */
export function isUnknownEndpoint({ kind, status, errcode }: FederationError): boolean {
  return kind === 'http' && (errcode === 'M_UNRECOGNIZED' || (errcode === undefined && (status === 404 || status === 405)));
}
