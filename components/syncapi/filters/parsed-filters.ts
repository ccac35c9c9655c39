/** Filters that clients send again and again, parsed once: the thousands who wait with the same one share it. */
import { createRecent } from '../../../pkg/assert/recent.ts';
import { parseSyncFilter, type SyncFilter } from './filter.ts';

const FILTERS_MAX = 500;
const TEXT_LENGTH_MAX = 4096;

/** Returns the filter of a definition's text, which `parse` makes a JSON value of. Throws what that throws, and as `parseSyncFilter` does. */
export function createParsedFilters(): (text: string, parse: (text: string) => unknown) => SyncFilter {
  const filters = createRecent<SyncFilter>(FILTERS_MAX, { lazy: true });
  return (text, parse) => {
    const known = filters.get(text);
    if (known !== undefined) return known;
    const filter = parseSyncFilter(parse(text));
    if (text.length <= TEXT_LENGTH_MAX) filters.set(text, filter);
    return filter;
  };
}
