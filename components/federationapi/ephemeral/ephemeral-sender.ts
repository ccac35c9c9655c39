/** Hears what is soft from the owners of rooms and users, and sends it to other servers. */
import { typingCodec } from '../../../pkg/log/codec.ts';
import type { Subscription } from '../../../pkg/log/log.ts';
import { decodePresenceTold, PRESENCE_CHANNEL } from '../../../pkg/log/presence-signals.ts';
import type { FederationapiDeps } from '../deps.ts';
import type { Sender } from '../sender/sender-api.ts';
import { createHostsOfRooms } from './hosts-of-rooms.ts';
import { createPresenceSender } from './send-presence.ts';
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
  const presence = deps.presence && createPresenceSender({ ...deps, ...deps.presence, hosts, send: (units) => sender.ephemeral(units, true) });
  let listening: Subscription[] = [];
  return {
    async start() {
      listening = [await driver.listen('typing', (value) => typing(typingCodec.decode(value)))];
      if (presence === undefined) return;
      listening.push(await driver.listen(PRESENCE_CHANNEL, (value) => {
        const told = decodePresenceTold(value);
        if (told !== undefined) presence.receive(told);
      }));
    },
    async stop() {
      await Promise.all(listening.map((one) => one.close()));
      presence?.close();
    },
    health: () => undefined,
  };
}
