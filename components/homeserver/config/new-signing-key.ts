import { formatSigningKeyFile, SEED_BYTES } from '../../../pkg/matrix/signing/signing-key.ts';
import type { Random } from '../../../pkg/runtime/runtime.ts';

/** Text of a new signing key file, with a random seed and a key version that no other key of this server will have. */
export function newSigningKeyText(random: Pick<Random, 'bytes' | 'token'>): string {
  return formatSigningKeyFile(`a_${random.token(4)}`, random.bytes(SEED_BYTES));
}
