/** An error that a client or server sees: the spec's standard error response. Thrown by handlers, turned into a response by the router. */
export class MatrixError extends Error {
  override readonly name = 'MatrixError';
  readonly status: number;
  readonly errcode: string;
  /** Further fields of the response body, for example `retry_after_ms`. */
  readonly fields: Readonly<Record<string, unknown>>;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, errcode: string, message: string, more: { fields?: Record<string, unknown>; headers?: Record<string, string> } = {}) {
    super(message);
    this.status = status;
    this.errcode = errcode;
    this.fields = more.fields ?? {};
    this.headers = more.headers ?? {};
  }
}
