/** What is found in many events, as canonical JSON has it: part of what is stored (`packed-json.ts`), and therefore for ever as it is. */
export const PHRASES = [
  // Rarer things first: what stands nearer to an event's beginning is found as well.
  '"content":{"avatar_url":null,"displayname":null,"membership":"invite"},', '"join_authorised_via_users_server":"', '"is_direct":true,', '"third_party_invite":{"signed":{"mxid":"', '"reason":"',
  '"content":{"ban":50,"events":{"m.room.avatar":50,"m.room.canonical_alias":50,"m.room.encryption":100,"m.room.history_visibility":100,"m.room.name":50,"m.room.power_levels":100,',
  '"m.room.server_acl":100,"m.room.tombstone":100,"m.space.child":50},"events_default":0,"invite":0,"kick":50,"redact":50,"state_default":50,"users":{"@', '":100},"users_default":0},',
  '"historical":100,', '"notifications":{"room":50},', '{"allow":[{"room_id":"!', '","type":"m.room_membership"}],"join_rule":"restricted"},', '"join_rule":"public"},', '"join_rule":"invite"},',
  '"guest_access":"can_join"},', '"history_visibility":"shared"},', '"history_visibility":"joined"},', '"room_version":"10"},', '"creator":"@', '"predecessor":{"event_id":"$', '"topic":"', '"name":"', '"alias":"#',
  '"url":"mxc://matrix.org/', '"file":{"hashes":{"sha256":"', '","iv":"', '","key":{"alg":"A256CTR","ext":true,"k":"', '","key_ops":["encrypt","decrypt"],"kty":"oct"},', '"v":"v2"},',
  '"filename":"', '"info":{"duration":', '"h":', ',"mimetype":"image/jpeg","size":', ',"thumbnail_info":{"h":', ',"mimetype":"image/png","size":', ',"w":', '},"thumbnail_url":"mxc://', '"xyz.amorgan.blurhash":"',
  '"formatted_body":"<a href=\\"https://matrix.to/#/@', '\\">', '</a>', '<p>', '</p>', '<code>', '</code>', '<br />', '<mx-reply><blockquote>', '","format":"org.matrix.custom.html",', '"geo_uri":"',
  '"m.mentions":{"user_ids":["@', '"]},', '"m.mentions":{},', '"m.new_content":{"body":"* ', '"m.relates_to":{"event_id":"$', '","is_falling_back":true,"m.in_reply_to":{"event_id":"$', '"},"rel_type":"m.thread"},',
  '"},"rel_type":"m.replace"},', '","key":"', '","rel_type":"m.annotation"}},', '"redacts":"$', '"algorithm":"m.megolm.v1.aes-sha2","ciphertext":"AwgA', '","device_id":"', '","sender_key":"', '","session_id":"',
  '"https://', ' the ', ' and ', ' that ', ' you ', 'ing ', ' is ', ' of ', ' to ',
  '"type":"m.room.aliases"', '"type":"m.room.avatar"', '"type":"m.room.canonical_alias"', '"type":"m.room.create"', '"type":"m.room.encryption"', '"type":"m.room.guest_access"', '"type":"m.room.history_visibility"',
  '"type":"m.room.join_rules"', '"type":"m.room.name"', '"type":"m.room.power_levels"', '"type":"m.room.redaction"', '"type":"m.room.server_acl"', '"type":"m.room.third_party_invite"', '"type":"m.room.tombstone"', '"type":"m.room.topic"',
  '"type":"m.space.child"', '"type":"m.space.parent"', '"type":"m.sticker"', '"type":"m.reaction"', '"type":"m.call.', '"type":"m.poll.', '"type":"org.matrix.msc',
  '"auth_events":[["$', '"},"prev_content":{', '"prev_state":[],', '","replaces_state":"$', ',"unsigned":{"age":', ',"unsigned":{"age_ts":17', '"state_key":"","type":"m.room.',
  // The order of a message, and of a member.
  '{"auth_events":["$', '","$', '"],"content":{"body":"', '","msgtype":"m.text"},"depth":', ',"hashes":{"sha256":"', '"},"origin":"matrix.org","origin_server_ts":17', ',"prev_events":["$', '"],"room_id":"!',
  ':matrix.org","sender":"@', '","signatures":{"matrix.org":{"ed25519:a_', '":"', '"}},"type":"m.room.message"}', '"type":"m.room.encrypted"}', '"}},"state_key":"@', '","type":"m.room.member"}',
  '"],"content":{"avatar_url":"mxc://matrix.org/', '","displayname":"', '","membership":"join"},"depth":', '"],"content":{"displayname":"', '"],"content":{"membership":"leave"},"depth":', '"msgtype":"m.notice"', '"msgtype":"m.image"',
  '"},"origin_server_ts":17', '","sender":"@', '","signatures":{"', '":{"ed25519:1":"', '":{"ed25519:auto":"', '"auth_events":[],"content":{', '"prev_events":[],',
].join('');
