/** The table of the spec's endpoints, which lies beside the repository where it is at hand. */
import { existsSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { REPOSITORY } from '../../run-files.ts';

const TABLE = join(REPOSITORY, '../shared/reference/endpoints.tsv');

/** Why there is nothing to compare with; undefined when there is. */
export const endpointsMissing: string | undefined = existsSync(TABLE) ? undefined : "the table of the spec's endpoints is not beside this repository";

export interface Endpoint {
  readonly operationId: string;
  readonly method: string;
  /** A template. */
  readonly path: string;
  /** `access_token`, `optional:access_token`, `as_token`, `none`. */
  readonly auth: string;
  readonly isRateLimited: boolean;
  /** Came after r0, which had other paths. */
  readonly isNewerThanR0: boolean;
  /** File of the OpenAPI description. */
  readonly specFile: string;
}

/** What the table has wrong, as its own notes say. */
const AUTH: Readonly<Record<string, string>> = { getRoomSummary: 'optional:access_token' };

/** All operations of the Client-Server API; none where the table is not at hand. */
export function clientEndpoints(): Endpoint[] {
  if (endpointsMissing !== undefined) return [];
  const [head = '', ...lines] = readFileSync(TABLE, 'utf8').trim().split('\n');
  const columns = head.split('\t');
  return lines.map((line) => Object.fromEntries(line.split('\t').map((cell, index) => [columns[index] ?? '', cell]))).filter(({ api }) => api === 'client-server').map(endpointOf);
}

function endpointOf(row: Readonly<Record<string, string>>): Endpoint {
  const { operationId = '', method = '', path = '', auth = '', rate_limited: limited, since, spec_file: specFile = '' } = row;
  return { operationId, method, path, auth: AUTH[operationId] ?? auth, isRateLimited: limited === 'yes', isNewerThanR0: since !== '-' || !path.includes('/v3/'), specFile };
}
