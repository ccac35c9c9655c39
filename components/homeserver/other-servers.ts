/** The way to other servers, as settings say. */
import { deniedServers } from '../../pkg/federation/denied-servers.ts';
import { createHttpsTransport, type HttpsTransport } from '../../pkg/federation/transport/https-transport.ts';
import type { Runtime } from '../../pkg/runtime/runtime.ts';
import type { Settings } from '../../schemas/config/settings.ts';
import { readAuthorities } from './certificates.ts';
import { VERSION } from './version.ts';

/** Rejects with `SettingsError` when a file of the settings cannot be used. */
export async function openTransport({ federation }: Pick<Settings, 'federation'>, runtime: Runtime): Promise<HttpsTransport> {
  const isDenied = deniedServers(federation.deniedServers, federation.allowedServers);
  return createHttpsTransport({
    clock: runtime.clock, random: runtime.random, userAgent: `Myelin/${VERSION}`,
    extraCertificates: await readAuthorities(federation.caFiles),
    addresses: { denied: federation.ipDenied, allowed: federation.ipAllowed },
    mayContact: (serverName) => !isDenied(serverName),
    overrides: federation.overrides,
  });
}
