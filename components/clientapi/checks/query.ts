/** Parameters of queries. All throw 400 M_INVALID_PARAM. */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';

/** A whole number of at least `min`; undefined when it is absent. */
export function wholeParam(query: URLSearchParams, name: string, min: number): number | undefined {
  const value = query.get(name);
  if (value === null || value === '') return undefined;
  if (!/^\d{1,15}$/.test(value) || Number(value) < min) throw new MatrixError(400, 'M_INVALID_PARAM', `${name} must be a whole number of at least ${min}`);
  return Number(value);
}

/** `true` or `false` (the default). */
export function booleanParam(query: URLSearchParams, name: string): boolean {
  const value = query.get(name);
  if (value === null || value === '' || value === 'false') return false;
  if (value === 'true') return true;
  throw new MatrixError(400, 'M_INVALID_PARAM', `${name} must be true or false`);
}
