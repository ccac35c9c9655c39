/** How a need can fail, as whoever waits is told. */
import { FederationError, isDestinationFailing } from '../../../pkg/federation/transport.ts';

/** The need cannot be fulfilled; says so with the status and error code that a client is given. */
export class NeedFailure extends Error {
  override readonly name = 'NeedFailure';
  readonly status: number;
  readonly errcode: string;
  /** What else the answer says. */
  readonly fields: Readonly<Record<string, unknown>>;
  constructor(status: number, errcode: string, message: string, fields: Readonly<Record<string, unknown>> = {}) {
    super(message);
    this.fields = fields;
    this.status = status;
    this.errcode = errcode;
  }
}

/** Nobody here may or needs to go on: the partition is somebody else's, or the process stops. */
export class Abandoned extends Error {
  override readonly name = 'Abandoned';
}

const TEXT_MAX = 300;

/**
 * What an error says to whoever waits: a refusal of another server as it was made (statuses 400 to 499 with an error code), 504 when it took too long, else 502. undefined
 * for errors that are no answer to the need: those of our own tables and our own code.
 */
export function failureOf(error: unknown): NeedFailure | undefined {
  if (error instanceof NeedFailure) return error;
  if (!(error instanceof FederationError)) return undefined;
  if (isRefusal(error)) {
    const said = error.body?.['error'];
    return new NeedFailure(error.status!, error.errcode!, (typeof said === 'string' ? said : error.message).slice(0, TEXT_MAX).toWellFormed());
  }
  return new NeedFailure(error.kind === 'timeout' ? 504 : 502, 'M_UNKNOWN', error.message.slice(0, TEXT_MAX));
}

/** Whether the same server may well give another answer a little later. */
export function mayPass(error: unknown): boolean {
  return error instanceof FederationError && error.kind !== 'garbage' && (isDestinationFailing(error) || error.kind === 'overloaded');
}

/** Of several servers' failures the one that says most about the wish itself. */
export function worse(one: NeedFailure | undefined, other: NeedFailure): NeedFailure {
  return one === undefined || weightOf(other) > weightOf(one) ? other : one;
}

/** The other server looked at the request and said no. What it says of this server's signature or haste says nothing to a client. */
function isRefusal({ kind, status = 0, errcode }: FederationError): boolean {
  return kind === 'http' && errcode !== undefined && status >= 400 && status < 500 && status !== 401 && status !== 408 && status !== 429;
}

function weightOf({ status, errcode }: NeedFailure): number {
  if (status === 403) return 5;
  if (errcode === 'M_INCOMPATIBLE_ROOM_VERSION') return 4;
  if (status === 404) return 2;
  return status < 500 ? 3 : 1;
}
