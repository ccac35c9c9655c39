/** Who may invite a user, by what the user has set (Client-Server API, "Invite permission"). */

/** Type of the global account data. */
export const INVITE_PERMISSION = 'm.invite_permission_config';

/** Whether the user takes no invites at all. `config`: content of the account data as JSON text; undefined: there is none. */
export function blocksInvites(config: string | undefined): boolean {
  if (config === undefined) return false;
  const content: unknown = JSON.parse(config);
  return typeof content === 'object' && content !== null && (content as { default_action?: unknown }).default_action === 'block';
}
