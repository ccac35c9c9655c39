/** Has the roomserver import a stage, slice by slice: the next is appended when the last is decided, so the inputs of other rooms come in between. */
import type { NeedJob, NeedTools } from '../needs/job.ts';

export const SLICE_EVENTS = 100;

/** Rejects with `NeedFailure` when a slice is refused, and with what `job.check` throws. Repeated after a crash it passes over what was imported before. */
export async function importState(tools: Pick<NeedTools, 'submit'>, job: NeedJob, state: { events: number; current: boolean; completes: boolean; roomVersion: string }): Promise<void> {
  const { events, current, completes, roomVersion } = state;
  for (let from = 0; from < events; from += SLICE_EVENTS) {
    const to = Math.min(from + SLICE_EVENTS, events);
    await tools.submit(job, { inputId: `need:${job.runId}:import:${from}`, kind: { importState: { needId: job.needId, stageId: job.runId, from, to, current, roomVersion, ...(completes && { completes }) } } });
  }
}
