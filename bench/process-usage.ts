import { readdirSync, readFileSync, writeFileSync } from 'node:fs';

/** CPU seconds (user and system) that a process has used since its start, by the operating system's account; NaN where there is no /proc. */
export function cpuSeconds(pid: number): number {
  try {
    const fields = readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ')[1]!.split(' ');
    return (Number(fields[11]) + Number(fields[12])) / 100;
  } catch {
    return Number.NaN;
  }
}

/** CPU seconds of a process, of its children, and of children that have ended; NaN where there is no /proc. */
export function treeCpuSeconds(pid: number): number {
  try {
    return readdirSync('/proc').filter((name) => /^\d+$/.test(name)).reduce((sum, name) => {
      const fields = statOf(name);
      if (fields === undefined) return sum;
      const own = Number(fields[11]) + Number(fields[12]);
      if (name === String(pid)) return sum + (own + Number(fields[13]) + Number(fields[14])) / 100;
      return fields[1] === String(pid) ? sum + own / 100 : sum;
    }, 0);
  } catch {
    return Number.NaN;
  }
}

/** What follows the name in /proc/PID/stat; undefined when the process has gone meanwhile. */
function statOf(pid: string): string[] | undefined {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8').split(') ').at(-1)!.split(' ');
  } catch {
    return undefined;
  }
}

/** Seconds for which the main thread of a process was ready to run and the machine ran others; NaN where there is no /proc. Much of it says that the machine was busy, not the process. */
export function waitedSeconds(pid: number): number {
  try {
    return Number(readFileSync(`/proc/${pid}/schedstat`, 'utf8').split(' ')[1]) / 1e9;
  } catch {
    return Number.NaN;
  }
}

/** The peak of resident memory is counted from now on; not where there is no /proc. */
export function forgetPeak(pid: number): void {
  try {
    writeFileSync(`/proc/${pid}/clear_refs`, '5');
  } catch {
    // Then it is the peak since the process began.
  }
}

/** Resident memory now and at its peak, in MB. */
export function residentMb(pid: number): { now: number; peak: number } {
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const field = (name: string): number => Number(new RegExp(`${name}:\\s+(\\d+) kB`).exec(status)?.[1]) / 1024;
    return { now: field('VmRSS'), peak: field('VmHWM') };
  } catch {
    return { now: Number.NaN, peak: Number.NaN };
  }
}
