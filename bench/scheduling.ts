/** How the system shares out its cores while something is measured. */
import { execFileSync } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { BadCommandLine } from './command-line.ts';

/** Has this process, and all that it starts from now on, run under that policy; returns a sentence for the result. @throws BadCommandLine when there is no chrt */
export function schedule(policy: string): string {
  if (policy === 'usual') return `Scheduling: usual${autogroups()}.`;
  try {
    execFileSync('chrt', ['--all-tasks', '--batch', '--pid', '0', String(process.pid)], { stdio: 'pipe' });
  } catch (error) {
    throw new BadCommandLine(`--scheduling batch needs chrt (util-linux): ${(error as Error).message}`);
  }
  return `Scheduling: SCHED_BATCH${autogroups()}.`;
}

/** With them each session (here: each server, and each connection's process of PostgreSQL) has the same share of the cores. */
function autogroups(): string {
  try {
    return readFileSync('/proc/sys/kernel/sched_autogroup_enabled', 'utf8').trim() === '1' ? ', autogroups' : ', no autogroups';
  } catch {
    return '';
  }
}
