/** Idle connections count among all that there may be: one of them has to go when a new one is needed and there may be no more. */
import type { Agent } from 'node:https';

/** Closes the connection that has been idle for long when the agent has as many as it may. Without this, a request to a new destination waits until one has been idle for its whole time. */
export function evictIdle(agent: Agent): void {
  const { totalSocketCount } = agent as unknown as { totalSocketCount: number };
  if (totalSocketCount < agent.maxTotalSockets) return;
  // The first name is that of the destination that has been without a request for longest: a name leaves the table with its last idle connection.
  const [idle] = Object.values(agent.freeSockets);
  idle?.[0]?.destroy();
}
