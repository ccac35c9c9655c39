/** Carries one need out: by its kind, then the import of what was staged, then the answer. */
import { roomInputCodec } from '../../../pkg/log/codec.ts';
import type { Answer } from '../../../schemas/log/room-input.ts';
import type { Need, RemoteMembership } from '../../../schemas/log/room-output.ts';
import { importState } from '../stage/import-state.ts';
import { finishStage, readFinishedStage, type FinishedStage } from '../storage/stages.ts';
import { askPolicy, policyOf } from './ask-policy.ts';
import { backfill } from './backfill.ts';
import { eventAuth } from './event-auth.ts';
import { failureOf, mayPass, NeedFailure } from './failure.ts';
import { eventsGivenUp } from './given-up.ts';
import { answerOf, roomInputOf, type Fulfilled, type NeedJob, type NeedTools } from './job.ts';
import { missingEvents } from './missing-events.ts';
import { remoteJoin } from './remote-join.ts';
import { remoteKnock } from './remote-knock.ts';
import { remoteLeave } from './remote-leave.ts';
import { signInvite } from './sign-invite.ts';
import { stateAt } from './state-at.ts';
import { wholeState } from './whole-state.ts';

export interface CarryOut {
  readonly need: Need;
  /** When it would be tried again, wall-clock ms. */
  readonly retryAtMs: number;
}

/** What must be left of a need's time for another attempt, in ms. */
const RETRY_MIN_MS = 1000;

/**
 * true when the answer is appended, also when it says that the need cannot be fulfilled; false when it is to be tried again: nobody but an event waits for it, and the server that
 * failed may well be back in time. `job` bounds the work, `closing` what tells of its end. Rejects with errors that are no other server's fault: `StorageError`, `StageLost`, `Overloaded`,
 * `Abandoned`; then it may be tried again, too.
 */
export async function carryOut(tools: NeedTools, { job, closing }: { job: NeedJob; closing: NeedJob }, { need, retryAtMs }: CarryOut): Promise<boolean> {
  let answer: Partial<Answer> & { status: number };
  try {
    answer = { status: 200, ...await fulfil(tools, job, need) };
  } catch (error) {
    const failure = failureOf(error);
    if (failure === undefined) throw error;
    const origin = originOf(need);
    if (origin !== undefined && mayPass(error) && tools.mayRecover(origin) && retryAtMs < job.deadlineMs - RETRY_MIN_MS) return false;
    if (mayPass(error) || failure.status === 504) await tools.later(job, eventsGivenUp(need));
    tools.logger.info({ needId: job.needId, status: failure.status, reason: failure.message }, 'a need could not be fulfilled');
    answer = { status: failure.status, errcode: failure.errcode, error: failure.message, ...(Object.keys(failure.fields).length > 0 && { errorFields: Buffer.from(JSON.stringify(failure.fields)) }) };
  }
  await tools.append(closing, [answerOf(job, answer.status, answer)]);
  return true;
}

/** Who has to give it, where it is an event that waits and no user. */
function originOf({ missingEvents: missing, eventAuth: auth, stateAt: state, askPolicy: policy }: Need): string | undefined {
  if (policy?.policy) return policy.isOurs ? undefined : policyOf(policy.policy.serverName);
  return (missing ?? auth ?? state)?.origin;
}

async function fulfil(tools: NeedTools, job: NeedJob, need: Need): Promise<Partial<Answer>> {
  const before = await readFinishedStage(tools.database, job.runId);
  if (before !== undefined) return imported(tools, job, need, before);
  const { answer, state } = await byKind(tools, job, need);
  if (state === undefined) return answer;
  const whole = { ...answer, stageId: job.runId };
  const finished = { events: state.events, answer: roomInputCodec.encode(roomInputOf(job, answerOf(job, 200, whole), tools.clock.now())) };
  await finishStage(tools.database, { stageId: job.runId, attempt: state.attempt }, finished);
  return imported(tools, job, need, finished);
}

/** The answer of a stage that is whole, after its import. */
async function imported(tools: NeedTools, job: NeedJob, need: Need, { events, answer }: FinishedStage): Promise<Partial<Answer>> {
  const { answer: kept } = roomInputCodec.decode(answer);
  const isJoin = need.remoteMembership?.membership === 'join';
  await importState(tools, job, { events, current: isJoin, completes: Boolean(need.wholeState), roomVersion: kept?.roomVersion ?? '' });
  const { origin, eventId, pdu, stageId, roomVersion, membersOmitted, serversInRoom } = kept!;
  return { origin, eventId, pdu, stageId, roomVersion, ...(membersOmitted === true && { membersOmitted, serversInRoom: serversInRoom ?? [] }) };
}

function byKind(tools: NeedTools, job: NeedJob, need: Need): Promise<Fulfilled> {
  if (need.missingEvents) return missingEvents(tools, job, need.missingEvents);
  if (need.eventAuth) return eventAuth(tools, job, need.eventAuth);
  if (need.stateAt) return stateAt(tools, job, need.stateAt);
  if (need.signInvite) return signInvite(tools, job, need.signInvite);
  if (need.askPolicy) return askPolicy(tools, job, need.askPolicy);
  if (need.wholeState) return wholeState(tools, job, need.wholeState);
  if (need.backfill) return backfill(tools, job, need.backfill);
  return need.remoteMembership ? byMembership(tools, job, need.remoteMembership) : cannot();
}

function byMembership(tools: NeedTools, job: NeedJob, wish: RemoteMembership): Promise<Fulfilled> {
  if (wish.membership === 'join') return remoteJoin(tools, job, wish);
  if (wish.membership === 'knock') return remoteKnock(tools, job, wish);
  return wish.membership === 'leave' ? remoteLeave(tools, job, wish) : cannot();
}

function cannot(): Promise<never> {
  return Promise.reject(new NeedFailure(501, 'M_UNRECOGNIZED', 'This server cannot do that with the help of another yet'));
}
