import { execFileSync } from 'node:child_process';
import { fileURLToPath } from 'node:url';

const START = fileURLToPath(new URL('../../bin/start.mjs', import.meta.url));

/** What `myelin front` prints for these processes. */
export async function nginxFrontOfRoutes(listen: string, upstreams: Readonly<Record<string, string>>): Promise<string> {
  const addresses = Object.entries(upstreams).flatMap(([role, address]) => [`--${role}`, address]);
  return execFileSync(process.execPath, [START, 'front', '--listen', listen, ...addresses], { encoding: 'utf8' });
}
