/** A stage of an event's way, and the floor: the least that this machine needs for the same bytes without any of our code. */
export interface Work {
  /** What is done, in words. */
  readonly what: string;
  /** Does it for so many events. */
  run(events: number): void | Promise<void>;
}

export interface Stage {
  readonly name: string;
  readonly ours: Work;
  readonly floor: Work;
  /** Events of one measurement. */
  readonly events: number;
  close?(): Promise<void>;
}

export interface Cost {
  /** Of all threads of this process, in µs an event. */
  readonly cpuUs: number;
  /** By the clock, in µs an event: what waits for the disk counts too. */
  readonly wallUs: number;
}

const ROUNDS = 5;

/** The middle of several rounds, after one that warms up. */
export async function costOf(work: Work, events: number): Promise<Cost> {
  await work.run(events);
  const costs: Cost[] = [];
  for (let round = 0; round < ROUNDS; round += 1) {
    const [cpu, began] = [process.cpuUsage(), performance.now()];
    await work.run(events);
    const { user, system } = process.cpuUsage(cpu);
    costs.push({ cpuUs: (user + system) / events, wallUs: ((performance.now() - began) * 1000) / events });
  }
  const middle = (of: (cost: Cost) => number): number => costs.map(of).sort((a, b) => a - b)[Math.floor(ROUNDS / 2)]!;
  return { cpuUs: middle(({ cpuUs }) => cpuUs), wallUs: middle(({ wallUs }) => wallUs) };
}
