/** User-Interactive Authentication (Client-Server API, "User-Interactive Authentication API"): which stages a request has to pass, and which it has passed. */
import * as z from 'zod';
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import { parseBody } from '../checks/body.ts';
import type { Context } from '../context.ts';
import { submitUserCommand } from '../outcome/submit.ts';
import type { AuthDict, Stage } from './stage.ts';
import type { Flow, UiaSession } from './uia-session.ts';

/** What an input about a session has for a user; the session's name follows. */
const UIA_KEY_SIGIL = '~';

const bodyWithAuth = z.looseObject({ auth: z.looseObject({ type: z.string().optional(), session: z.string().optional() }).optional() });

export interface Question {
  /** Any of them has to be completed, its stages in their order. */
  readonly flows: readonly Flow[];
  /** By type: all that stand in the flows. */
  readonly stages: Readonly<Record<string, Stage>>;
}

/** A request that needs authentication. */
export interface Interaction {
  /** The parameters of the request; where it has none but `auth`, those of the first request of its session. Not checked yet. */
  readonly parameters: Readonly<Record<string, unknown>>;
  /** undefined when a flow is complete and the request may be carried out, once; else the 401 that says what is missing. Throws what the checks of stages throw. */
  challenge(question: Question): Promise<ApiResponse | undefined>;
}

/** How far a session is. */
interface Progress {
  readonly id: string;
  readonly session: UiaSession;
  readonly completed: readonly string[];
  /** Stages of it are kept by the userapi. */
  readonly isKept: boolean;
}

/**
 * Begins with a request, `userId` being who makes it (empty: nobody). Throws 400 M_BAD_JSON for an `auth` of the wrong form, and 403 M_FORBIDDEN for a session of another request or user: what a
 * user has consented to is not to be exchanged.
 */
export function interact(context: Context, request: ApiRequest, userId: string): Interaction {
  const { auth, ...own } = parseBody(bodyWithAuth, request.body);
  const operation = operationOf(request);
  const session = auth?.session === undefined ? undefined : context.uiaSessions.open(auth.session);
  if (session !== undefined && (session.operation !== operation || session.userId !== userId)) {
    throw new MatrixError(403, 'M_FORBIDDEN', 'This session was begun for another request');
  }
  const parameters = Object.keys(own).length > 0 ? own : (session?.parameters ?? own);

  async function challenge(question: Question): Promise<ApiResponse | undefined> {
    const progress = session === undefined ? undefined : await progressOf(context, auth!.session!, session);
    const begin = (): Progress => ({ ...context.uiaSessions.begin({ operation, userId, flows: question.flows, parameters }), completed: [], isKept: false });
    if (auth === undefined) return ask(question, begin());
    if (auth.session !== undefined && progress === undefined) return ask(question, begin(), 'The session is not known, or has ended');
    return pass({ context, request, question, auth }, progress ?? begin());
  }
  return { parameters, challenge };
}

/** undefined when what the session was for has been done. */
export async function progressOf(context: Context, id: string, session: UiaSession): Promise<Progress | undefined> {
  const kept = await context.userQuery.uiaSession(UIA_KEY_SIGIL + session.name);
  if (kept?.isUsedUp === true) return undefined;
  return { id, session, completed: kept?.stages ?? [], isKept: kept !== undefined };
}

/** Keeps that the stage is completed, where every instance sees it. */
export function keepStage(context: Context, request: ApiRequest, session: UiaSession, stage: string): Promise<unknown> {
  return submitUserCommand(context, request, { userId: UIA_KEY_SIGIL + session.name, uiaStep: { stage, expiresMs: session.expiresMs } });
}

/** Whether the stage comes next, in one of the flows. */
export function isNext(flows: readonly Flow[], completed: readonly string[], stage: string): boolean {
  return flows.some((flow) => flow.includes(stage) && flow.slice(0, flow.indexOf(stage)).every((before) => completed.includes(before)));
}

async function pass(asked: { context: Context; request: ApiRequest; question: Question; auth: AuthDict }, progress: Progress): Promise<ApiResponse | undefined> {
  const { context, request, question, auth } = asked;
  const { session } = progress;
  const problem = await stageProblem(asked, progress);
  if (problem !== undefined) return ask(question, progress, problem);
  const completed = auth.type === undefined ? progress.completed : [...new Set([...progress.completed, auth.type])];
  if (question.flows.some((flow) => flow.every((stage) => completed.includes(stage)))) {
    // What is kept could be shown again; what came with this request alone is checked with each request.
    if (progress.isKept) await keepStage(context, request, session, '');
    return undefined;
  }
  if (completed.length > progress.completed.length) {
    // Whoever has no account writes something here.
    if (session.userId === '') context.limits.take('login', request.remoteAddress);
    await keepStage(context, request, session, auth.type!);
  }
  return ask(question, { ...progress, completed });
}

/** One sentence when the stage is not passed. A completed one is not tried again; without a type the client only asks how far the session is. */
async function stageProblem({ context, request, question, auth }: { context: Context; request: ApiRequest; question: Question; auth: AuthDict }, { session, completed }: Progress): Promise<string | undefined> {
  const { type } = auth;
  if (type === undefined || completed.includes(type)) return undefined;
  const stage = Object.hasOwn(question.stages, type) ? question.stages[type] : undefined;
  if (stage === undefined || !question.flows.some((flow) => flow.includes(type))) return `The stage ${JSON.stringify(type.slice(0, 100))} is not part of any flow`;
  if (!isNext(question.flows, completed, type)) return 'The stages have to be completed in their order';
  return stage.check({ context, request, session, auth });
}

function ask({ flows, stages }: Question, { id, completed }: Progress, problem?: string): ApiResponse {
  const types = [...new Set(flows.flat())];
  const params = Object.fromEntries(types.flatMap((type) => (stages[type]?.params === undefined ? [] : [[type, stages[type].params]])));
  const failure = problem === undefined ? {} : { errcode: 'M_FORBIDDEN', error: problem };
  return { status: 401, body: { ...failure, flows: flows.map((stages) => ({ stages })), params, session: id, completed } };
}

/** Segments are compared decoded, and `r0` is the same as `v3`. */
function operationOf({ method, path }: ApiRequest): string {
  const segments = path.split('/').map(decodeURIComponent);
  if (segments[3] === 'r0') segments[3] = 'v3';
  return JSON.stringify([method, ...segments]);
}
