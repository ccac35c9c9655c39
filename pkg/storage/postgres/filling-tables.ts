/**
 * Which tables have filled up so fast that PostgreSQL knows nothing of them yet. Its own look at a new table comes a minute later, and until then it takes any room for one with one member: a query over a room of
 * 10,000 is planned for one row, and that plan is what all its prepared statements keep (27 ms for 2 ms).
 */
const FIRST_LOOK_ROWS = 1_000;
const GROWTH = 4;
/** From here on PostgreSQL's own looks come often enough. */
const LAST_LOOK_ROWS = 300_000;

export class FillingTables {
  readonly #tables = new Map<string, { rows: number; lookAt: number }>();

  /** Takes what a transaction has inserted, by table; returns the tables to be looked at now: at 1,000 rows and with each fourfold number, up to 300,000. */
  add(inserted: ReadonlyMap<string, number>): string[] {
    const due: string[] = [];
    for (const [table, count] of inserted) {
      let seen = this.#tables.get(table);
      if (!seen) this.#tables.set(table, (seen = { rows: 0, lookAt: FIRST_LOOK_ROWS }));
      seen.rows += count;
      if (seen.rows < seen.lookAt || seen.lookAt > LAST_LOOK_ROWS) continue;
      while (seen.lookAt <= seen.rows) seen.lookAt *= GROWTH;
      due.push(table);
    }
    return due;
  }
}
