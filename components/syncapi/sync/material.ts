import type { EventLoader } from '../events/load-events.ts';
import type { Bundles } from '../relations/load-bundles.ts';
import type { SeenPresence } from '../presence/presence-board.ts';
import type { AccountDataRow } from '../storage/rows.ts';
import type { DeviceLists } from '../streams/device-lists.ts';
import type { KeyCounts } from '../streams/key-counts.ts';
import type { OutsideRoom } from '../streams/outside.ts';
import type { ReceiptContent } from '../streams/receipts.ts';
import type { RoomSummary } from '../streams/summary.ts';
import type { RoomTimeline } from '../streams/timeline.ts';
import type { RoomUnread } from '../unread/count-unread.ts';
import type { RoomView } from './scope.ts';

/** What was read for an answer, by room where it belongs to one. */
export interface Material {
  readonly views: readonly RoomView[];
  readonly timelines: ReadonlyMap<string, RoomTimeline>;
  readonly state: ReadonlyMap<string, readonly string[]>;
  readonly stripped: ReadonlyMap<string, readonly string[]>;
  /** Rooms that this server is not in. */
  readonly outside: readonly OutsideRoom[];
  readonly receipts: ReadonlyMap<string, readonly ReceiptContent[]>;
  /** Of rooms with news. */
  readonly unread: ReadonlyMap<string, RoomUnread>;
  readonly typing: ReadonlyMap<string, readonly string[]>;
  /** Of others, who share a room with the user. */
  readonly presence: readonly SeenPresence[];
  readonly summaries: ReadonlyMap<string, RoomSummary>;
  readonly accountData: ReadonlyMap<string, readonly AccountDataRow[]>;
  readonly events: Awaited<ReturnType<EventLoader['load']>>;
  /** PDUs as JSON text, where the filter asks for the federation's format. */
  readonly raw: ReadonlyMap<string, string> | undefined;
  readonly bundles: Bundles;
  /** undefined: the client knows nothing yet. */
  readonly deviceLists: DeviceLists | undefined;
  readonly keyCounts: KeyCounts;
  /** JSON texts of messages to the device. */
  readonly toDevice: readonly string[];
}
