/** Bodies and their fields, checked against zod schemas, with the spec's error codes. */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';

/** A string that every database can hold: NUL has no place in PostgreSQL's text. */
export const text = z.string().refine((value) => !value.includes('\0'), 'must not contain NUL');
export const textUpTo = (lengthMax: number) => text.refine((value) => value.length <= lengthMax, `must have at most ${lengthMax} characters`);
export const jsonObject = z.record(z.string(), z.unknown());

/**
 * `body` as `schema` describes it; unknown members are dropped. Throws 400: M_MISSING_PARAM for a member that is not there, M_BAD_JSON for one of the wrong
 * type, M_INVALID_PARAM for one with a value that is not allowed.
 */
export function parseBody<T>(schema: z.ZodType<T>, body: unknown): T {
  const parsed = schema.safeParse(body ?? {});
  if (parsed.success) return parsed.data;
  throw bodyError(parsed.error.issues[0]!, body);
}

function bodyError(issue: z.core.$ZodIssue, body: unknown): MatrixError {
  const name = issue.path.map(String).join('.') || 'the body';
  if (valueAt(body, issue.path) === undefined) return new MatrixError(400, 'M_MISSING_PARAM', `${name} is missing`);
  if (issue.code !== 'invalid_type' && issue.code !== 'invalid_union') return new MatrixError(400, 'M_INVALID_PARAM', `${name}: ${issue.message}`);
  return new MatrixError(400, 'M_BAD_JSON', `${name}: ${issue.message}`);
}

function valueAt(body: unknown, path: readonly PropertyKey[]): unknown {
  let value = body;
  for (const key of path) value = typeof value === 'object' && value !== null ? (value as Record<PropertyKey, unknown>)[key] : undefined;
  return value;
}
