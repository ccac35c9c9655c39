/** Servers as processes of their own, with a proxy before each: any of them can be cut off from any other. */
import { startFederationProxy, type FederationProxy } from '../kit/federation-proxy.ts';
import { V3 } from '../e2e/api-client.ts';
import { enter, ok, type Member } from '../e2e/federation-rooms.ts';
import { neighbourhood, type Peer, type Software } from '../e2e/peers.ts';

/** What is healed is found soon. */
const RETRY_SOON = { MYELIN_FEDERATION_RETRY_FIRST_MS: '200', MYELIN_FEDERATION_RETRY_MAX_MS: '1000' };

export interface PartedServers {
  readonly peers: readonly Peer[];
  /** A user of each who stays in every room. */
  readonly cores: readonly Member[];
  /** A user of each who comes, goes and is thrown out. */
  readonly guests: readonly Member[];
  /** Groups of servers, by their numbers: who is in none with another reaches nobody. Nothing passes between groups. */
  part(groups: readonly (readonly number[])[]): void;
  stop(): Promise<void>;
}

export async function startParted(softwares: readonly Software[]): Promise<PartedServers> {
  const place = neighbourhood();
  const proxies: FederationProxy[] = [];
  for (const _ of softwares) proxies.push(await startFederationProxy(place.authority));
  const peers = await Promise.all(softwares.map((software, index) => place.start(software, { publicPort: proxies[index]!.port, env: RETRY_SOON })));
  peers.forEach(({ baseUrl }, index) => proxies[index]!.standBefore(baseUrl));
  const [cores, guests] = [await Promise.all(peers.map((peer) => enter(peer, 'core'))), await Promise.all(peers.map((peer) => enter(peer, 'guest')))];
  await acquaint(cores);
  return {
    peers, cores, guests,
    part(groups) {
      for (const [to, proxy] of proxies.entries()) {
        proxy.cutOff.clear();
        for (const [from, { serverName }] of peers.entries()) if (from !== to && !groups.some((group) => group.includes(from) && group.includes(to))) proxy.cutOff.add(serverName);
      }
    },
    async stop() {
      await Promise.all([...cores, ...guests].map(({ follower }) => follower.stop()));
      await place.stop();
      await Promise.all(proxies.map((proxy) => proxy.close()));
    },
  };
}

/** A message between all, so that each has the keys of each before it is cut off. */
async function acquaint(cores: readonly Member[]): Promise<void> {
  const made = await ok(cores[0]!.session.call('POST', `${V3}/createRoom`, { preset: 'public_chat' }));
  const room = encodeURIComponent(made.room_id as string);
  for (const { session } of cores.slice(1)) await ok(session.call('POST', `${V3}/join/${room}?server_name=${cores[0]!.peer.serverName}&via=${cores[0]!.peer.serverName}`, {}));
}
