/**
 * The sockets that a server listens on: several for one address. Of each, one connection is accepted when the event loop goes round, and that of a server with much to do goes round some ten times a second: of 10,000
 * clients that all come back at once the last ones would wait for a quarter of an hour, however soon the first are served. The system spreads who comes over the sockets.
 */
import type { Server } from 'node:http';
import { Server as NetServer, type AddressInfo, type ListenOptions, type Socket } from 'node:net';

export interface DoorsOptions {
  readonly host: string;
  /** 0: one that is free. */
  readonly port: number;
  /** So many connections at once; what comes beyond is closed. */
  readonly connectionsMax?: number;
}

export interface Doors {
  /** No new connections are taken. Resolves when all are closed. */
  close(): Promise<void>;
}

const DOORS = 32;
const CONNECTIONS_MAX = 30_000;
/** Below that there is one socket: a share of each would be too small to be even. */
const CONNECTIONS_EACH_MIN = 500;
const BACKLOG = 1024;

/** Lets `server` listen. Rejects when the address cannot be listened on, with one sentence. */
export async function openDoors(server: Server, { host, port, connectionsMax = CONNECTIONS_MAX }: DoorsOptions): Promise<Doors> {
  const count = connectionsMax / DOORS < CONNECTIONS_EACH_MIN ? 1 : DOORS;
  const at = { host, port, backlog: BACKLOG };
  const doors: NetServer[] = [server];
  try {
    if (count === 1) {
      await listen(server, at);
    } else {
      // Who shares a port is not told that somebody else has it.
      if (port !== 0) await close(await listen(new NetServer(), at));
      await listen(server, { ...at, reusePort: true }).catch((error: NodeJS.ErrnoException) => (error.code === 'ENOTSUP' ? listen(server, at) : Promise.reject(error)));
      doors.push(...(await openMore(server, at, count - 1)));
    }
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    throw new Error(`cannot listen on ${host}:${port}: ${code === 'EADDRINUSE' ? 'something else listens there already' : (code ?? message)}`, { cause: error });
  }
  for (const door of doors) door.maxConnections = Math.ceil(connectionsMax / doors.length);
  return { close: async () => void (await Promise.all(doors.map(close))) };
}

/** As many as the system lets share the port. */
async function openMore(server: Server, at: ListenOptions, count: number): Promise<NetServer[]> {
  const { port } = server.address() as AddressInfo;
  const handOver = (socket: Socket): void => void server.emit('connection', socket);
  const opened: NetServer[] = [];
  while (opened.length < count) {
    // As a server of HTTP has it.
    const door = new NetServer({ allowHalfOpen: true, noDelay: true }, handOver);
    try {
      opened.push(await listen(door, { ...at, port, reusePort: true }));
    } catch {
      break;
    }
  }
  return opened;
}

function listen<Listening extends NetServer>(server: Listening, at: ListenOptions): Promise<Listening> {
  return new Promise((resolve, reject) => {
    server.once('error', reject);
    server.listen(at, () => {
      server.off('error', reject);
      resolve(server);
    });
  });
}

/** Not the close of a server of HTTP: it would cut idle connections at once. */
function close(server: NetServer): Promise<void> {
  return new Promise((resolve) => NetServer.prototype.close.call(server, () => resolve()));
}
