/** Hands what a client wants to the owner of the room or user, and waits until it is done and can be seen. */
import type { ApiRequest } from '../../../pkg/http/route.ts';
import type { SubmitOptions } from '../../../pkg/log/commands.ts';
import type { RoomInput } from '../../../schemas/log/room-input.ts';
import type { UserInput } from '../../../schemas/log/user-input.ts';
import type { Context } from '../context.ts';
import { awaitOutcome } from './await-outcome.ts';
import { RANDOM_INPUT_ID } from './input-id.ts';

type Submitting = Pick<Context, 'commands' | 'appliedPositions' | 'runtime'>;
type Asking = Pick<ApiRequest, 'traceId' | 'logger'>;

/** What is to be done in a room, or with an alias (`roomId`: the alias): exactly one of the kinds. */
export type RoomCommand = { readonly roomId: string; readonly inputId?: string; readonly originServerTs?: number } & Pick<RoomInput, 'createRoom' | 'sendEvent' | 'setReceipt' | 'setTyping' | 'setAlias' | 'deleteAlias' | 'upgradeRoom' | 'forgetRoom' | 'setRoomVisibility'>;
/** What is to be done to a user: exactly one of the kinds. */
export type UserCommand = { readonly userId: string; readonly inputId?: string } &
  Pick<UserInput, 'uploadKeys' | 'uploadCrossSigning' | 'uploadSignatures' | 'register' | 'login' | 'logout' | 'refreshTokens' | 'issueToken' | 'removeDevices' | 'putDevice' | 'changePassword' | 'uiaStep' | 'setProfileField' | 'setTag' | 'report' | 'setAccountData' | 'putFilter' | 'deactivate' | 'setAccountFlag' | 'acceptTerms' | 'putRegistrationToken' | 'useRegistrationToken' | 'upgradeGuest' | 'putPushRule' | 'deletePushRule' | 'changePushRule' | 'followUpgrade' | 'setNoticeRoom' | 'setPresence' | 'sendToDevice' | 'sendToServers' | 'createKeyBackup' | 'updateKeyBackup' | 'deleteKeyBackup' | 'changeBackupKeys' | 'putDehydratedDevice' | 'removeDehydratedDevice'>;

/** Resolves with the result of the accepted input, for example `{event_id}`. Throws `MatrixError`, see `awaitOutcome`. */
export function submitRoomCommand(context: Submitting, request: Asking, command: RoomCommand, options: SubmitOptions = {}): Promise<Record<string, unknown>> {
  const input = { originServerTs: context.runtime.clock.now(), inputId: RANDOM_INPUT_ID, ...command, traceId: request.traceId };
  return awaitOutcome(context, 'room-output', context.commands.submitRoomInput(input, options), request.logger);
}

/** The same for a user's input. */
export function submitUserCommand(context: Submitting, request: Asking, command: UserCommand): Promise<Record<string, unknown>> {
  const input = { inputId: RANDOM_INPUT_ID, ...command, ts: context.runtime.clock.now(), traceId: request.traceId };
  return awaitOutcome(context, 'user-output', context.commands.submitUserInput(input), request.logger);
}
