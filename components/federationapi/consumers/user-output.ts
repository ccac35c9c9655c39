/** Applies user-output to the queues of other servers: messages that users send to devices elsewhere, and changes of their own devices. Most records are about nothing of the kind: for those nothing is read or written. */
import type { Applier, SequencedRecord } from '../../../pkg/log/applier.ts';
import { userOutputCodec } from '../../../pkg/log/codec.ts';
import { isLocalUser } from '../../../pkg/matrix/ids/user-id.ts';
import type { Clock } from '../../../pkg/runtime/runtime.ts';
import type { UserOutput } from '../../../schemas/log/user-output.ts';
import { deviceListUnits, tellsOfDevices, type DeviceListDeps } from '../device-lists/device-list-units.ts';
import { enqueueUnits, type QueuedUnit } from '../storage/unit-queue.ts';

export interface UserOutputDeps extends DeviceListDeps {
  readonly clock: Pick<Clock, 'now'>;
  /** Servers that are sent nothing. */
  readonly isDenied: (serverName: string) => boolean;
  readonly partitionOfDestination: (destination: string) => number;
  /** Something was heard of devices of users of other servers. */
  readonly onRemoteDevices: () => void;
  /** Something was committed for these destinations. */
  readonly onQueued: (destinations: ReadonlySet<string>) => void;
}

export function userOutputApplier(deps: UserOutputDeps): Applier<UserOutput> {
  const { clock, isDenied, partitionOfDestination, onQueued, serverName } = deps;
  /** Of the records that were loaded last. */
  let devices: readonly QueuedUnit[] = [];
  const unitsOf = (records: readonly SequencedRecord<UserOutput>[]): QueuedUnit[] => [...devices, ...records.flatMap(messagesOf)].filter(({ destination }) => !isDenied(destination));
  return {
    decode: (record) => userOutputCodec.decode(record),
    async load(records) {
      if (records.some(({ output }) => output.deviceList && !isLocalUser(output.userId, serverName))) deps.onRemoteDevices();
      devices = await deviceListUnits(deps, records);
    },
    isIdle: (records) => !records.some((record) => record.output.toDeviceLeaving || tellsOfDevices(record, serverName)),
    async apply(tx, records) {
      await enqueueUnits(tx, unitsOf(records), { nowMs: clock.now(), partitionOfDestination });
      return { rooms: [], users: [] };
    },
    committed(records) {
      const destinations = new Set(unitsOf(records).map(({ destination }) => destination));
      if (destinations.size > 0) onQueued(destinations);
    },
    traceOf: (output) => output.traceId,
  };
}

/** m.direct_to_device units (server-server, "Send-to-device messaging"). */
function messagesOf({ partition, sequence, output: { toDeviceLeaving } }: SequencedRecord<UserOutput>): QueuedUnit[] {
  return (toDeviceLeaving?.messages ?? []).map(({ destination, content }, number) => ({
    destination, originPartition: partition, originSequence: sequence, number, json: `{"content":${Buffer.from(content).toString('utf8')},"edu_type":"m.direct_to_device"}`,
  }));
}
