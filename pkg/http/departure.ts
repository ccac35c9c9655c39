/**
 * Whether the client of a request still waits for its answer. Every long poll holds one for as long as it waits, so it is small: an AbortController whose signal has one listener takes 700 bytes. The signal is made
 * for those who ask for it.
 */
export class Departure {
  #how: 'here' | 'stopping' | 'gone' = 'here';
  #listener: DepartureListener | undefined;
  #controller: AbortController | undefined;

  /** The client has gone or the server is stopping: long polls return early. */
  get isDue(): boolean {
    return this.#how !== 'here';
  }

  /** Nobody will read an answer. */
  get isGone(): boolean {
    return this.#how === 'gone';
  }

  /** Aborted when departure is due. */
  get signal(): AbortSignal {
    if (this.#controller === undefined) {
      this.#controller = new AbortController();
      if (this.isDue) this.#controller.abort();
    }
    return this.#controller.signal;
  }

  /** Who is told once when departure is due, instead of who was to be told before; undefined: nobody. */
  listen(listener: DepartureListener | undefined): void {
    this.#listener = listener;
  }

  /** Departure is due. Again, it counts only when the client has gone from a server that was stopping. */
  leave(how: 'stopping' | 'gone'): void {
    const wasDue = this.isDue;
    if (how === 'gone' || !wasDue) this.#how = how;
    if (wasDue) return;
    const listener = this.#listener;
    this.#listener = undefined;
    listener?.departed();
    this.#controller?.abort();
  }
}

/** An object and no function: who waits is one already. */
export interface DepartureListener {
  departed(): void;
}
