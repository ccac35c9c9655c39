/** Applies room-output to the federationapi's tables. */
import type { Applier } from '../../../pkg/log/applier.ts';
import { roomOutputCodec } from '../../../pkg/log/codec.ts';
import type { RoomOutput } from '../../../schemas/log/room-output.ts';
import type { FederationapiDeps } from '../deps.ts';

export function roomOutputApplier(_deps: Pick<FederationapiDeps, 'serverName'>): Applier<RoomOutput> {
  return {
    decode: (record) => roomOutputCodec.decode(record),
    apply: () => Promise.resolve({ rooms: [], users: [] }),
    traceOf: (output) => output.traceId,
  };
}
