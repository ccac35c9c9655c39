/** Where real clients are tried: one process, and two of everything. Each asks something else of those who register. */
import { instanceModes, modes, type Mode } from './modes.ts';

export interface ClientMode {
  readonly mode: Mode;
  readonly settings: Readonly<Record<string, string>>;
  /** The stage of registrations. */
  readonly stage: { readonly type: string; readonly token?: string };
}

export function clientModes(): ClientMode[] {
  const token = 'tea-at-five';
  return [
    { mode: modes()[0]!, settings: { MYELIN_GUESTS: 'on', MYELIN_REGISTRATION: 'token', MYELIN_REGISTRATION_TOKEN: token }, stage: { type: 'm.login.registration_token', token } },
    { mode: instanceModes().find(({ log, of }) => log === 'NATS' && of === 'all roles a process')!.two, settings: { MYELIN_GUESTS: 'on' }, stage: { type: 'm.login.dummy' } },
  ];
}
