/** A TCP proxy in front of PostgreSQL that cuts the connection when it sees COMMIT, before or after the server got it. */
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface SeveringProxy {
  /** The server's URL, through the proxy. */
  readonly url: string;
  /** What happens at the next COMMIT, once. */
  cutNextCommit(when: 'before' | 'after'): void;
  close(): Promise<void>;
}

export async function startSeveringProxy(serverUrl: string): Promise<SeveringProxy> {
  const target = new URL(serverUrl);
  const sockets = new Set<Socket>();
  let cut: 'before' | 'after' | undefined;

  const server = createServer((near) => {
    const far = connect(Number(target.port), target.hostname);
    const sever = (): void => {
      near.destroy();
      far.destroy();
    };
    for (const socket of [near, far]) {
      sockets.add(socket);
      socket.on('error', sever).on('close', sever);
    }
    let answersLost = false;
    near.on('data', (bytes) => {
      if (cut !== undefined && bytes.includes('COMMIT')) {
        const when = cut;
        cut = undefined;
        if (when === 'before') return sever();
        answersLost = true;
      }
      far.write(bytes);
    });
    // The server's answer to COMMIT shows that it was done; the client never gets it.
    far.on('data', (bytes) => (answersLost ? sever() : near.write(bytes)));
  });
  await new Promise<void>((resolve) => void server.listen(0, '127.0.0.1', resolve));
  const url = new URL(serverUrl);
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    cutNextCommit: (when) => void (cut = when),
    close: () =>
      new Promise((resolve) => {
        for (const socket of sockets) socket.destroy();
        server.close(() => resolve());
      }),
  };
}
