/**
 * Connections whose client waits, kept without Node's HTTP: a parser, a request and a response take 12 kB for each of tens of thousands. Node has one way to give up a connection that it reads from, which is
 * meant for other protocols: 'upgrade'. So the request of a long poll says that it is one, Node hands the connection over with what it has read, and when it has been answered and more comes, it gets it back as
 * a new one. A Node that asks no request whether it upgrades would serve long polls as everything else.
 */
import type * as Http from 'node:http';
import type { IncomingMessage, ServerResponse } from 'node:http';
import { createRequire } from 'node:module';
import { Socket } from 'node:net';
import { responseBytes } from './body.ts';
import type { Departure } from './departure.ts';
import type { ApiResponse } from './route.ts';

const http = createRequire(import.meta.url)('node:http') as typeof Http;

/** Node's class of requests, of which those that `isPoll` names leave HTTP when their headers have been read. They must have no body. */
export function requestsThatWait(isPoll: (request: IncomingMessage) => boolean): typeof IncomingMessage {
  return class extends http.IncomingMessage {
    get upgrade(): boolean {
      return this.method === 'CONNECT' || isPoll(this);
    }

    set upgrade(_asRead: boolean) {
      // Clients that offer another protocol are answered in this one.
    }
  };
}

export interface WaitingConnections {
  /** Takes over a connection from Node's 'upgrade', with what was read of it after the request, until it is answered. `over` is called once, when the answer is written or cannot be any more. */
  hold(socket: Socket, head: Buffer, who: { departure: Departure; over: () => void }): Held;
  /** Whether it has been here before. */
  knows(socket: Socket): boolean;
  closeIdle(): void;
  closeAll(): void;
}

interface Held {
  /** With `close` it is the last answer of the connection. */
  answer(answer: ApiResponse, close: boolean): void;
  cut(): void;
}

const HELD = Symbol('held');
type HeldSocket = Socket & { [HELD]?: HeldConnection };

/** `giveBack`: Node takes the connection as if it were new; what it has to say can be read. */
export function createWaitingConnections(giveBack: (socket: Socket) => void, keepAliveMs: number): WaitingConnections {
  const all = new Set<HeldConnection>();
  const place: Place = { all, giveBack, keepAliveMs };
  return {
    hold(socket: HeldSocket, head, who) {
      const held = (socket[HELD] ??= new HeldConnection(socket, place));
      held.wait(head, who);
      return held;
    },
    knows: (socket: HeldSocket) => socket[HELD] !== undefined,
    closeIdle() {
      for (const held of all) if (held.isIdle) held.cut();
    },
    closeAll() {
      for (const held of all) held.cut();
    },
  };
}

interface Place {
  /** Those that Node's HTTP knows nothing of. */
  readonly all: Set<HeldConnection>;
  readonly giveBack: (socket: Socket) => void;
  readonly keepAliveMs: number;
}

class HeldConnection implements Held {
  readonly #socket: Socket;
  readonly #place: Place;
  /** Who waits for an answer. */
  #who: { readonly departure: Departure; readonly over: () => void } | undefined;

  constructor(socket: Socket, place: Place) {
    this.#socket = socket;
    this.#place = place;
    socket.on('error', ignore).on('close', closed).on('end', ended).on('timeout', timedOut);
  }

  /** Nothing is asked; false also while Node has it. */
  get isIdle(): boolean {
    return this.#who === undefined && this.#place.all.has(this);
  }

  wait(head: Buffer, who: { departure: Departure; over: () => void }): void {
    this.#who = who;
    this.#place.all.add(this);
    if (head.length > 0) this.#socket.unshift(head);
    this.#socket.on('data', came);
  }

  answer(answer: ApiResponse, close: boolean): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    const bytes = responseBytes(answer);
    const response = new http.ServerResponse(ASKED);
    response.assignSocket(socket);
    const staying = close ? { connection: 'close' } : { 'keep-alive': `timeout=${Math.floor(this.#place.keepAliveMs / 1000)}` };
    response.writeHead(answer.status, { ...answer.headers, 'content-length': Buffer.byteLength(bytes), ...staying });
    response.end(bytes, () => this.#written(response, close));
  }

  #written(response: ServerResponse, close: boolean): void {
    const socket = this.#socket;
    this.#end();
    if (socket.destroyed) return;
    response.detachSocket(socket);
    if (close) socket.destroySoon();
    // What came too early.
    else if (socket.readableLength > 0) this.#giveBack();
    else socket.setTimeout(this.#place.keepAliveMs);
  }

  #end(): void {
    const who = this.#who;
    this.#who = undefined;
    who?.over();
  }

  #giveBack(): void {
    const socket = this.#socket;
    this.#place.all.delete(this);
    socket.off('data', came).setTimeout(0);
    this.#place.giveBack(socket);
    socket.resume();
  }

  /** While it waits nothing is read but the end. */
  came(chunk: Buffer): void {
    this.#socket.pause();
    this.#socket.unshift(chunk);
    if (this.isIdle) this.#giveBack();
  }

  ended(): void {
    if (this.#place.all.has(this)) this.cut();
  }

  timedOut(): void {
    if (this.isIdle) this.cut();
  }

  cut(): void {
    this.#socket.destroy();
  }

  closed(): void {
    this.#place.all.delete(this);
    this.#who?.departure.leave('gone');
    this.#end();
  }
}

/** What each answer is an answer to, as far as Node wants to know. */
const ASKED = Object.assign(new http.IncomingMessage(new Socket()), { method: 'GET', httpVersionMajor: 1, httpVersionMinor: 1 });

// Functions of all connections together, for they are many.
function came(this: HeldSocket, chunk: Buffer): void {
  this[HELD]?.came(chunk);
}

function ended(this: HeldSocket): void {
  this[HELD]?.ended();
}

function timedOut(this: HeldSocket): void {
  this[HELD]?.timedOut();
}

function closed(this: HeldSocket): void {
  this[HELD]?.closed();
}

function ignore(): void {
  // 'close' follows.
}
