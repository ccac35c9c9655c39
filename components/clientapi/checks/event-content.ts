/** Content of events on its way from a request's body into an input. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import { canonicalJson, CanonicalJsonError } from '../../../pkg/matrix/canonical-json/canonical-json.ts';

/** An event has at most this many bytes (Client-Server API, "Size limits"); its content alone cannot have more. */
const EVENT_BYTES_MAX = 65_536;

/** JSON bytes of an event's content. Throws 400 M_BAD_JSON for what no event can hold (fractions, integers beyond 2^53), 413 M_TOO_LARGE. */
export function contentBytes(content: Record<string, unknown>): Uint8Array {
  let json: string;
  try {
    json = canonicalJson(content);
  } catch (error) {
    if (error instanceof CanonicalJsonError) throw new MatrixError(400, 'M_BAD_JSON', `The content of an event cannot hold this: ${error.message}`);
    throw error;
  }
  const bytes = Buffer.from(json);
  if (bytes.length > EVENT_BYTES_MAX) throw new MatrixError(413, 'M_TOO_LARGE', `An event has at most ${EVENT_BYTES_MAX} bytes`);
  return bytes;
}
