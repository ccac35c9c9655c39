/**
 * What a hostile server can make of a room it is in: many branches, much conflict, absurd depths, events that cite what was refused or what nobody has. It is received to its end with bounded
 * memory, and other rooms of the same partition are served meanwhile. MYELIN_HOSTILE=full makes it as large as it gets (20,000 conflicting bans), and prints what the others felt (p50 and p99 of
 * their sends): without turns they waited for minutes.
 */
import assert from 'node:assert/strict';
import { execFile } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { promisify } from 'node:util';
import type { Attack } from '../kit/hostile-room.ts';
import type { HostileReport, HostileSettings } from './hostile-here.ts';

const IS_FULL = process.env['MYELIN_HOSTILE'] === 'full';
const PROGRAM = join(import.meta.dirname, 'hostile-here.ts');
/** ms: far from what users of other rooms feel, and as far from what they would feel if nothing held the attack back; how fast it is, is measured, not tested. */
const P99_MS_MAX = 5000;
const PEAK_MB_MAX = 1000;

interface Case {
  readonly size: number;
  readonly fullSize: number;
  readonly secondsMax: number;
}

const CASES: Record<Attack, Case> = {
  forks: { size: 1000, fullSize: 1000, secondsMax: 60 },
  bans: { size: 600, fullSize: 20_000, secondsMax: 60 },
  depth: { size: 1000, fullSize: 5000, secondsMax: 60 },
  auth: { size: 1000, fullSize: 5000, secondsMax: 60 },
};

for (const [attack, { size, fullSize, secondsMax }] of Object.entries(CASES) as [Attack, Case][]) {
  for (const versionId of IS_FULL ? ['11', '12'] : [attack === 'forks' ? '12' : '11']) {
    const events = IS_FULL ? fullSize : size;
    const msMax = secondsMax * 1000 * (IS_FULL ? 60 : 1);
    test(`${attack}: ${events} events, room version ${versionId}`, { timeout: msMax + 120_000 }, async (t) => {
      const report = await attacked(t, { attack, size: events, versionId, msMax });
      t.diagnostic(JSON.stringify(report));
      assert.equal(report.decided, report.events, 'every event found its verdict in time');
      assert.ok(report.others.sends > 0 && report.others.failed === 0, 'every send into another room was accepted');
      assert.ok(report.others.p99 < P99_MS_MAX, `other rooms waited ${report.others.p99} ms (p99)`);
      assert.ok(report.peakMb < PEAK_MB_MAX, `${report.peakMb} MB`);
    });
  }
}

async function attacked(t: { after: (end: () => void) => void }, settings: Omit<HostileSettings, 'dataDir'>): Promise<HostileReport> {
  const dataDir = mkdtempSync(join(tmpdir(), 'myelin-hostile-'));
  t.after(() => { rmSync(dataDir, { recursive: true, force: true }); });
  const { stdout } = await promisify(execFile)(process.execPath, [PROGRAM, JSON.stringify({ ...settings, dataDir } satisfies HostileSettings)]);
  return JSON.parse(stdout) as HostileReport;
}
