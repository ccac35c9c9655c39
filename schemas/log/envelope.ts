/** Types of `envelope.proto`. */
export interface OutputEnvelope {
  sequence: number;
  epoch: number;
  record: Uint8Array;
}

export interface Outcome {
  inputId: string;
  partition: number;
  /** Of the last output record; 0 when the input changed nothing. */
  sequence: number;
  /** JSON object; empty with an error. */
  result: Uint8Array;
  /** Empty: accepted. */
  errcode: string;
  error: string;
  status: number;
  /** JSON object of further fields of the error; may be empty. */
  errorFields: Uint8Array;
}

/** The answers to the inputs of one batch that have the same reply address. */
export interface Outcomes {
  outcomes: Outcome[];
}

export interface Applied {
  log: string;
  partition: number;
  sequence: number;
  rooms: string[];
  users: string[];
  /** Where the consumer was before; 0: not told. */
  after: number;
  /** Other partitions of the log that the same batch has advanced; `rooms` and `users` are theirs too. In signals only. */
  more?: Advance[];
}

export interface Advance {
  partition: number;
  sequence: number;
  after: number;
}

export interface TypingNow {
  roomId: string;
  partition: number;
  epoch: number;
  counter: number;
  userIds: string[];
  expiresMs: number;
}
