/** Types of the state events that tell somebody outside what a room is; each with an empty state key (Client-Server API, "Stripped state"). */
export const STRIPPED_TYPES: readonly string[] = [
  'm.room.create', 'm.room.join_rules', 'm.room.canonical_alias', 'm.room.name', 'm.room.avatar', 'm.room.topic', 'm.room.encryption',
];
