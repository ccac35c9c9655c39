import assert from 'node:assert/strict';
import { test } from 'node:test';
import { createParsedFilters } from './parsed-filters.ts';

test('the same text is parsed once, what is refused is refused again, and filters do not pile up', () => {
  const filterOf = createParsedFilters();
  let parsed = 0;
  const parse = (text: string): unknown => ((parsed += 1), JSON.parse(text));
  const text = '{"room":{"timeline":{"limit":7}}}';
  assert.equal(filterOf(text, parse).room.timeline.limit, 7);
  assert.equal(filterOf(text, parse), filterOf(text, parse));
  assert.equal(parsed, 1);
  for (let time = 0; time < 2; time += 1) assert.throws(() => filterOf('{"room":7}', parse), { errcode: 'M_BAD_JSON' });
  for (let number = 0; number < 600; number += 1) filterOf(`{"room":{"timeline":{"limit":${number}}}}`, parse);
  assert.equal(filterOf(text, parse).room.timeline.limit, 7);
  assert.equal(parsed, 603);
});
