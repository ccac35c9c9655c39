/**
 * User-Interactive Authentication (Client-Server API, "User-Interactive Authentication API") without state: the session is a signed token that
 * says which stages are done and until when it is good. So any instance can finish what another began, and nothing is kept for clients that never return.
 */
import { createHmac, timingSafeEqual } from 'node:crypto';
import type { ApiResponse } from '../../../pkg/http/route.ts';
import type { SigningKey } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Runtime } from '../../../pkg/runtime/runtime.ts';

export const UIA_SESSION_MS = 15 * 60_000;
const SESSION_LENGTH_MAX = 1024;

export interface AuthDict {
  readonly type?: string | undefined;
  readonly session?: string | undefined;
  readonly [field: string]: unknown;
}

/** Checks one stage: undefined when passed, else one sentence for the user. */
export type StageCheck = (auth: AuthDict) => string | undefined;

export interface UiaQuestion {
  /** A session is good for one kind of request only. */
  readonly operation: string;
  /** What the client sent as `auth`. */
  readonly auth: AuthDict | undefined;
  /** Each flow is a list of stages, all of which must be passed. */
  readonly flows: readonly (readonly string[])[];
  readonly stages: Readonly<Record<string, StageCheck>>;
}

export interface Uia {
  /** undefined when a flow is complete and the request may go on; else the 401 response that says what is missing. */
  challenge(question: UiaQuestion): ApiResponse | undefined;
}

interface Session {
  readonly operation: string;
  readonly expiresMs: number;
  readonly completed: readonly string[];
  readonly nonce: string;
}

export function createUia(runtime: Pick<Runtime, 'clock' | 'random'>, signingKey: SigningKey): Uia {
  // Equal on all instances, and of no use to anyone who sees signatures of the server: nothing else is ever signed over this text.
  const secret = signingKey.sign(Buffer.from('myelin user-interactive authentication sessions, version 1'));
  const mac = (payload: string) => createHmac('sha256', secret).update(payload).digest();

  function seal(session: Session): string {
    const payload = Buffer.from(JSON.stringify(session)).toString('base64url');
    return `${payload}.${mac(payload).toString('base64url')}`;
  }

  function open(token: string, operation: string): Session | undefined {
    const [payload = '', signature = ''] = token.slice(0, SESSION_LENGTH_MAX).split('.');
    const given = Buffer.from(signature, 'base64url');
    const expected = mac(payload);
    if (given.length !== expected.length || !timingSafeEqual(given, expected)) return undefined;
    const session = JSON.parse(Buffer.from(payload, 'base64url').toString()) as Session;
    return session.operation === operation && session.expiresMs > runtime.clock.now() ? session : undefined;
  }

  function fresh(operation: string): Session {
    return { operation, expiresMs: runtime.clock.now() + UIA_SESSION_MS, completed: [], nonce: runtime.random.token(16) };
  }

  return {
    challenge(question) {
      const { auth, operation } = question;
      if (auth === undefined) return ask(question, { session: seal(fresh(operation)), completed: [] });
      const known = typeof auth.session === 'string' ? open(auth.session, operation) : fresh(operation);
      if (known === undefined) return ask(question, { session: seal(fresh(operation)), completed: [], error: 'The session is not known or has timed out' });
      const { completed, error } = passStage(question, known.completed, auth);
      if (error === undefined && question.flows.some((flow) => flow.every((stage) => completed.includes(stage)))) return undefined;
      return ask(question, { session: seal({ ...known, completed }), completed, error });
    },
  };
}

function passStage(question: UiaQuestion, before: readonly string[], auth: AuthDict): { completed: readonly string[]; error?: string } {
  // Without a type the client only asks how far the session is.
  if (auth.type === undefined) return { completed: before };
  const check = Object.hasOwn(question.stages, auth.type) ? question.stages[auth.type] : undefined;
  if (check === undefined || !question.flows.some((flow) => flow.includes(auth.type!))) return { completed: before, error: `The stage ${JSON.stringify(auth.type)} is not part of any flow` };
  const error = check(auth);
  if (error !== undefined) return { completed: before, error };
  return { completed: [...new Set([...before, auth.type])] };
}

function ask(question: UiaQuestion, state: { session: string; completed: readonly string[]; error?: string | undefined }): ApiResponse {
  const flows = question.flows.map((stages) => ({ stages }));
  const failure = state.error === undefined ? {} : { errcode: 'M_FORBIDDEN', error: state.error };
  return { status: 401, body: { ...failure, flows, params: {}, session: state.session, completed: state.completed } };
}
