/** Hears what is soft from the owners of rooms and users, and sends it to other servers. */
import { typingCodec } from '../../../pkg/log/codec.ts';
import type { Subscription } from '../../../pkg/log/log.ts';
import type { FederationapiDeps } from '../deps.ts';
import type { Sender } from '../sender/sender.ts';
import { createHostsOfRooms } from './hosts-of-rooms.ts';
import { createTypingSender } from './send-typing.ts';

export interface EphemeralSender {
  start(): Promise<void>;
  stop(): Promise<void>;
  health(): string | undefined;
}

export function ephemeralSender(deps: FederationapiDeps, sender: Pick<Sender, 'ephemeral'>): EphemeralSender {
  const { runtime: { clock, logger }, driver, serverName } = deps;
  const hosts = createHostsOfRooms({ clock, database: deps.database });
  const typing = createTypingSender({ clock, logger, serverName, hosts, send: (units) => sender.ephemeral(units, true) });
  let listening: Subscription[] = [];
  return {
    async start() {
      listening = [await driver.listen('typing', (value) => typing(typingCodec.decode(value)))];
    },
    async stop() {
      await Promise.all(listening.map((one) => one.close()));
    },
    health: () => undefined,
  };
}
