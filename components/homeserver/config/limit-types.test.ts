import assert from 'node:assert/strict';
import { test } from 'node:test';
import { extraFields, supportContacts } from './discovery-types.ts';
import { classLimits, userLimits } from './limit-types.ts';

test('limits that are none are refused', () => {
  for (const text of ['message', 'message=', 'message=1', 'message=1/', 'message=0/5', 'message=5/0', 'message=-1/5', 'message=1/1.5', 'messages=1/5', 'message=1/5,message=2/5', '=1/5']) {
    assert.equal(classLimits.parse(text), undefined, text);
  }
  for (const text of ['@a:b', '@a:b=', '@a:b=free', 'a=exempt', '@a:b=message=1/5', '@a:b=message:1', '@a:b=messages:1/5', '@a:b=exempt,@a:b=message:1/5', '@a:b=message:1/5,@a:b=exempt']) {
    assert.equal(userLimits.parse(text), undefined, text);
  }
});

test('JSON that is not of the form is refused', () => {
  for (const text of ['{', '[]', '1', 'null', '{"m.homeserver": {}}', '{"m.identity_server": {}}']) assert.equal(extraFields.parse(text), undefined, text);
  for (const text of [
    '{', '{}', '[]', '[1]', '[{"role":"m.role.admin"}]', '[{"matrix_id":"@a:b"}]', '[{"role":"m.role.other","matrix_id":"@a:b"}]', '[{"role":"admin","matrix_id":"@a:b"}]',
    '[{"role":"m.role.admin","matrix_id":"a"}]', '[{"role":"m.role.admin","email_address":"a"}]', '[{"role":"m.role.admin","email_address":"a@b","phone":"1"}]',
  ]) assert.equal(supportContacts.parse(text), undefined, text);
});

test('a contact may have a role of its own', () => {
  const contacts = [{ role: 'org.example.role', email_address: 'help@example.org' }];
  assert.deepEqual(supportContacts.parse(JSON.stringify(contacts)), contacts);
});
