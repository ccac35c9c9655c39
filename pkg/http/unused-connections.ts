/** Connections that have not carried a request yet, for who has to close them: Node counts them neither among the idle ones nor, while they shake hands, at all. */
import type { Socket } from 'node:net';
import type { Server as TlsServer } from 'node:https';

/** Returns what notes a connection as long as it is open, with one function for all of them; not those that `isKnown` says are no new ones. */
export function noteIn(unused: Set<Socket>, isKnown: (socket: Socket) => boolean): (socket: Socket) => void {
  function forget(this: Socket): void {
    unused.delete(this);
  }
  return (socket) => {
    if (isKnown(socket)) return;
    unused.add(socket);
    socket.on('close', forget);
  };
}

/** Of a connection of HTTPS: the one below TLS until the hands are shaken, by the other end's address and port, then the one above. */
export function noteHandshakes(server: TlsServer, handshaking: Map<string, Socket>, noteUnused: (socket: Socket) => void): void {
  const nameOf = (socket: Socket) => `${socket.remoteAddress} ${socket.remotePort}`;
  server.on('connection', (socket: Socket) => {
    const name = nameOf(socket);
    handshaking.set(name, socket);
    socket.once('close', () => handshaking.delete(name));
  });
  server.on('secureConnection', (socket) => {
    handshaking.delete(nameOf(socket));
    noteUnused(socket);
  });
}
