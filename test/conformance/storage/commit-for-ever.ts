/** A process that commits row after row and prints each number once its commit has resolved. Its parent kills it. */
import { openPlace, type Place } from './backends.ts';

const database = await openPlace(JSON.parse(process.argv[2] as string) as Place);
await database.transaction((tx) => tx.run('CREATE TABLE kept (id BIGINT NOT NULL PRIMARY KEY, body TEXT)'));
for (let id = 1; ; id += 1) {
  await database.transaction((tx) => tx.run('INSERT INTO kept (id, body) VALUES (?, ?)', [id, 'x'.repeat(2_000)]));
  process.stdout.write(`${id}\n`);
}
