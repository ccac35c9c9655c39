/** Checks of what must be true by our own logic. A failure is a bug, never bad input: bad input gets a `MatrixError` or a verdict. */

export class AssertionFailed extends Error {
  override readonly name = 'AssertionFailed';
}

/** Throws `AssertionFailed` with `message` unless `condition` holds. */
export function assert(condition: unknown, message: string): asserts condition {
  if (!condition) throw new AssertionFailed(message);
}

/** `value`, which is neither null nor undefined; throws `AssertionFailed` naming `what` otherwise. */
export function must<T>(value: T | null | undefined, what: string): T {
  if (value === null || value === undefined) throw new AssertionFailed(`${what} is missing`);
  return value;
}

/** For the branch that the types say cannot be reached. */
export function never(value: never): never {
  throw new AssertionFailed(`a case is not handled: ${String(value)}`);
}
