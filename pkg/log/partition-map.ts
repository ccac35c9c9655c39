import { hash } from 'node:crypto';

/**
 * Which partition a key (room ID or user ID) belongs to. The map is versioned: sync tokens carry its version. A single hot key may be
 * moved to a partition of its own choice by an override.
 */
export interface PartitionMap {
  readonly version: number;
  readonly partitions: number;
  readonly overrides?: ReadonlyMap<string, number>;
}

export const DEFAULT_PARTITIONS = 32;

/** Partition of `key` in [0, map.partitions): the first 4 bytes of SHA-256, so that it is the same in every mode and language. */
export function partitionOf(map: PartitionMap, key: string): number {
  const moved = map.overrides?.get(key);
  if (moved !== undefined) return moved;
  return hash('sha256', key, 'buffer').readUInt32BE(0) % map.partitions;
}
