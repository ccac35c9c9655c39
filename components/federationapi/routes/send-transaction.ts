/** PUT /send (spec: server-server, "Transactions"): events of rooms, and ephemeral units. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, Route } from '../../../pkg/http/route.ts';
import { authenticated, type AuthDeps } from '../auth/authenticated.ts';
import type { EduReceiver } from '../ephemeral/receive-edus.ts';
import type { DeviceListReceiver } from '../device-lists/receive-device-lists.ts';
import type { PduReceiver } from '../inbound/receive-pdus.ts';
import type { ToDeviceReceiver } from '../inbound/receive-to-device.ts';
import type { StagedPdus } from '../inbound/staged-pdus.ts';
import type { TransactionAnswer, Transactions } from '../inbound/transactions.ts';

/** Of the spec. */
const PDUS_MAX = 50;
const EDUS_MAX = 100;
/** All of them at their biggest. */
const BODY_BYTES_MAX = 10 * 1024 * 1024;

export interface TransactionDeps {
  readonly transactions: Transactions;
  readonly receiver: PduReceiver;
  readonly stagedPdus: Pick<StagedPdus, 'add'>;
  readonly edus: EduReceiver;
  readonly toDevice: ToDeviceReceiver;
  readonly deviceLists: DeviceListReceiver;
}

export function sendTransactionRoute({ transactions, receiver, stagedPdus, edus, toDevice, deviceLists }: TransactionDeps, auth: AuthDeps): Route {
  /** What became of each event. An event whose keys could not be had counts as received when it is kept: it is tried again here, and not by its sender. */
  async function receive(origin: string, pdus: readonly unknown[], traceId: string): Promise<TransactionAnswer> {
    const { results, lacking } = await receiver.receive(origin, pdus, traceId);
    if (lacking.length > 0) {
      const kept = await stagedPdus.add(lacking);
      for (const { eventId } of lacking) {
        if (!results.has(eventId)) results.set(eventId, kept.has(eventId) ? undefined : 'The keys that have signed the event could not be had');
      }
    }
    return Object.fromEntries([...results].map(([eventId, error]) => [eventId, error === undefined ? {} : { error }]));
  }

  return {
    operationId: 'sendTransaction', method: 'PUT', path: '/_matrix/federation/v1/send/{txnId}', role: 'federationapi', idempotent: true, raw: true, bodyBytesMax: BODY_BYTES_MAX,
    handle: authenticated(auth, async (request, origin) => {
      const pdus = listIn(request, 'pdus', PDUS_MAX);
      const units = listIn(request, 'edus', EDUS_MAX);
      const transaction = { origin, txnId: request.params['txnId'] ?? '', bytes: request.rawBody?.length ?? 0 };
      const take = async (): Promise<TransactionAnswer> => {
        const answer = await receive(origin, pdus, request.traceId);
        // Before the messages: they may come from devices that are new.
        await deviceLists(origin, units, { txnId: transaction.txnId, traceId: request.traceId });
        await toDevice(origin, units, request.traceId);
        // After the events: they may be about them.
        await edus.receive(origin, units, { txnId: transaction.txnId, traceId: request.traceId });
        return answer;
      };
      return { status: 200, body: { pdus: await transactions.run(transaction, take) } };
    }),
  };
}

/** Throws `MatrixError` 400 M_BAD_JSON for what is no list, or too long. */
function listIn({ body }: ApiRequest, key: 'pdus' | 'edus', max: number): readonly unknown[] {
  const list = (body as Record<string, unknown>)[key] ?? (key === 'edus' ? [] : undefined);
  if (!Array.isArray(list) || list.length > max) throw new MatrixError(400, 'M_BAD_JSON', `${key} must be a list of at most ${max}`);
  return list as readonly unknown[];
}
