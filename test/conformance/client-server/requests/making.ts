/** How the requests of this folder are made. */
import type { Scene } from '../scene.ts';
import { CLIENT, type Call } from '../world.ts';

/** Makers of requests by operationId. */
export type GoodRequests = Readonly<Record<string, (scene: Scene) => Call | Promise<Call>>>;

/** A request of Alice's below /_matrix/client/v3. */
export function of({ alice: { token } }: Scene, method: string, path: string, body?: unknown): Call {
  return { method, path: CLIENT + path, token, body };
}
