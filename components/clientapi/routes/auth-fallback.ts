/** Pages for stages that a client does not know (Client-Server API, "Fallback"), and the one for clients that cannot log in ("Login Fallback"). */
import { MatrixError } from '../../../pkg/http/matrix-error.ts';
import type { ApiRequest, ApiResponse } from '../../../pkg/http/route.ts';
import type { Stage } from '../auth/stage.ts';
import { stagesOf } from '../auth/stages.ts';
import { isNext, keepStage, progressOf } from '../auth/uia.ts';
import type { UiaSession } from '../auth/uia-session.ts';
import type { Context } from '../context.ts';
import { loginPage } from '../pages/login-page.ts';
import { donePage, problemPage, stagePage } from '../pages/stage-page.ts';
import { CLIENT_V3, type Handler, type RouteSpec } from './client-route.ts';

const PATH = `${CLIENT_V3}/auth/{authType}/fallback/web`;
const FORM_BYTES_MAX = 16 * 1024;

interface Asked {
  readonly type: string;
  readonly stage: Stage;
  readonly id: string;
  readonly session: UiaSession;
  readonly isCompleted: boolean;
}

/** GET /_matrix/client/v3/auth/{authType}/fallback/web */
export async function getAuthFallback(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const { stage, session, id, isCompleted } = await readRequest(context, request, request.query.get('session') ?? undefined);
  return isCompleted ? donePage() : stagePage(stage.form(session), id);
}

/** POST /_matrix/client/v3/auth/{authType}/fallback/web: the page's form. The client then goes on with the session, on any instance. */
export async function postAuthFallback(context: Context, request: ApiRequest): Promise<ApiResponse> {
  const fields = request.body as Readonly<Record<string, string>>;
  context.limits.take('login', request.remoteAddress);
  const { type, stage, session, id, isCompleted } = await readRequest(context, request, fields['session']);
  if (isCompleted) return donePage();
  const form = stage.form(session);
  const missing = form.fields.find(({ name }) => (fields[name] ?? '') === '');
  const problem = missing === undefined ? await stage.check({ context, request, session, auth: { ...fields, type } }) : `This is missing: ${missing.label}`;
  if (problem !== undefined) return stagePage(form, id, problem);
  await keepStage(context, request, session, type);
  return donePage();
}

/** Throws 400 for a session that is not known or has ended, and for a stage that it does not have, or not yet. */
async function readRequest(context: Context, request: ApiRequest, id: string | undefined): Promise<Asked> {
  const session = id === undefined ? undefined : context.uiaSessions.open(id);
  const progress = session && (await progressOf(context, id!, session));
  if (session === undefined || progress === undefined) throw new MatrixError(400, 'M_INVALID_PARAM', 'This page belongs to a session that has ended. Go back to your client and try again.');
  const type = request.params['authType'] ?? '';
  const stages = stagesOf(context);
  const stage = Object.hasOwn(stages, type) ? stages[type] : undefined;
  if (stage === undefined || !isNext(session.flows, progress.completed, type)) throw new MatrixError(400, 'M_INVALID_PARAM', 'Your client has asked for a step that is not needed now.');
  return { type, stage, id: id!, session, isCompleted: progress.completed.includes(type) };
}

/** GET /_matrix/static/client/login/ */
export async function getLoginFallback({ serverName }: Context): Promise<ApiResponse> {
  return loginPage(serverName);
}

/** People read pages, no JSON. */
function asPage(handler: Handler): Handler {
  const named: Handler = async (context, request) => {
    try {
      return await handler(context, request);
    } catch (error) {
      if (!(error instanceof MatrixError)) throw error;
      const shown = problemPage(error.status, error.message);
      return { ...shown, headers: { ...shown.headers, ...error.headers } };
    }
  };
  return Object.defineProperty(named, 'name', { value: handler.name });
}

export const authFallbackRoutes: readonly RouteSpec[] = [
  { handler: asPage(getAuthFallback), method: 'GET', path: PATH, idempotent: true },
  { handler: asPage(postAuthFallback), method: 'POST', path: PATH, body: 'form', bodyBytesMax: FORM_BYTES_MAX, idempotent: true },
  { handler: getLoginFallback, method: 'GET', path: '/_matrix/static/client/login/', idempotent: true },
  { handler: getLoginFallback, method: 'GET', path: '/_matrix/static/client/login', idempotent: true },
];
