/** The predefined push rules (spec v1.19: client-server, "Predefined Rules"), in the order in which they are tried. */

/** Other strings are actions of older versions of the spec. */
export type PushAction = 'notify' | 'dont_notify' | 'coalesce' | { readonly set_tweak: string; readonly value?: unknown };

export type PushCondition =
  | { readonly kind: 'event_match'; readonly key: string; readonly pattern: string }
  | { readonly kind: 'event_property_is'; readonly key: string; readonly value: string | number | boolean | null }
  | { readonly kind: 'event_property_contains'; readonly key: string; readonly value: string | number | boolean | null }
  | { readonly kind: 'room_member_count'; readonly is: string }
  | { readonly kind: 'sender_notification_permission'; readonly key: string }
  | { readonly kind: 'contains_display_name' };

export interface PushRule {
  readonly rule_id: string;
  readonly default: boolean;
  readonly enabled: boolean;
  readonly actions: readonly PushAction[];
  /** On override and underride rules. */
  readonly conditions?: readonly PushCondition[];
  /** On content rules. */
  readonly pattern?: string;
}

/** The kinds of rules in the order in which they are tried. */
export const PUSH_RULE_KINDS = ['override', 'content', 'room', 'sender', 'underride'] as const;

export type PushRuleKind = (typeof PUSH_RULE_KINDS)[number];

export type PushRuleset = Readonly<Record<PushRuleKind, readonly PushRule[]>>;

const SOUND: PushAction = { set_tweak: 'sound', value: 'default' };
const RING: PushAction = { set_tweak: 'sound', value: 'ring' };
const HIGHLIGHT: PushAction = { set_tweak: 'highlight' };
const ONE_TO_ONE: PushCondition = { kind: 'room_member_count', is: '2' };

/** The ruleset (the `global` one) of a user who has changed nothing. */
export function defaultPushRules(userId: string): PushRuleset {
  return { override: overrideRules(userId), content: [], room: [], sender: [], underride: UNDERRIDE_RULES };
}

function overrideRules(userId: string): PushRule[] {
  const invited = [matches('type', 'm.room.member'), matches('content.membership', 'invite'), matches('state_key', userId)];
  const mentioned: PushCondition = { kind: 'event_property_contains', key: 'content.m\\.mentions.user_ids', value: userId };
  return [
    { ...rule('master', [], []), enabled: false },
    rule('suppress_notices', [matches('content.msgtype', 'm.notice')], []),
    rule('invite_for_me', invited, ['notify', SOUND]),
    rule('member_event', [matches('type', 'm.room.member')], []),
    rule('is_user_mention', [mentioned], ['notify', SOUND, HIGHLIGHT]),
    ...LATER_OVERRIDE_RULES,
  ];
}

const LATER_OVERRIDE_RULES: readonly PushRule[] = [
  rule(
    'is_room_mention',
    [
      { kind: 'event_property_is', key: 'content.m\\.mentions.room', value: true },
      { kind: 'sender_notification_permission', key: 'room' },
    ],
    ['notify', HIGHLIGHT],
  ),
  rule('tombstone', [matches('type', 'm.room.tombstone'), matches('state_key', '')], ['notify', HIGHLIGHT]),
  rule('reaction', [matches('type', 'm.reaction')], []),
  rule('room.server_acl', [matches('type', 'm.room.server_acl'), matches('state_key', '')], []),
  rule('suppress_edits', [{ kind: 'event_property_is', key: 'content.m\\.relates_to.rel_type', value: 'm.replace' }], []),
];

const UNDERRIDE_RULES: readonly PushRule[] = [
  rule('call', [matches('type', 'm.call.invite')], ['notify', RING]),
  rule('encrypted_room_one_to_one', [ONE_TO_ONE, matches('type', 'm.room.encrypted')], ['notify', SOUND]),
  rule('room_one_to_one', [ONE_TO_ONE, matches('type', 'm.room.message')], ['notify', SOUND]),
  rule('message', [matches('type', 'm.room.message')], ['notify']),
  rule('encrypted', [matches('type', 'm.room.encrypted')], ['notify']),
];

function rule(name: string, conditions: readonly PushCondition[], actions: readonly PushAction[]): PushRule {
  return { rule_id: `.m.rule.${name}`, default: true, enabled: true, conditions, actions };
}

function matches(key: string, pattern: string): PushCondition {
  return { kind: 'event_match', key, pattern };
}
