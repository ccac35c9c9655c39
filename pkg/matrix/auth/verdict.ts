/** What a check of the authorisation rules says; `reason` is one sentence that may be shown to the sender. */
export type AuthVerdict = { readonly allowed: true } | { readonly allowed: false; readonly reason: string };

export const ALLOWED: AuthVerdict = { allowed: true };

export function refuse(reason: string): AuthVerdict {
  return { allowed: false, reason };
}
