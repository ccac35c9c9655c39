/** The file `old-signing-keys` in the data folder: public keys that this server has signed with before, and until when. Other servers need them to check what was signed then. */
import type { RetiredKey } from '../../../pkg/federation/server-keys.ts';
import { decodeBase64, encodeBase64 } from '../../../pkg/matrix/canonical-json/base64.ts';
import { PUBLIC_KEY_BYTES } from '../../../pkg/matrix/signing/signing-key.ts';
import { SettingsError } from './settings-error.ts';

export const OLD_SIGNING_KEYS_FILE = 'old-signing-keys';

const LINE = /^ed25519 ([a-zA-Z0-9_]+) ([A-Za-z0-9+/]+=*) (\d{1,15})$/;

/** `text` is the content of the file at `path`, undefined when there is none. Throws `SettingsError`. */
export function parseOldSigningKeys(text: string | undefined, path: string): RetiredKey[] {
  const lines = (text ?? '').split('\n').map((line, index) => ({ line: line.trim().replace(/\s+/g, ' '), number: index + 1 })).filter(({ line }) => line !== '' && !line.startsWith('#'));
  return lines.map(({ line, number }) => {
    const [, version, encoded = '', expired] = LINE.exec(line) ?? [];
    const publicKey = decodeBase64(encoded);
    if (version === undefined || publicKey?.length !== PUBLIC_KEY_BYTES) {
      throw new SettingsError([`line ${number} of ${path} must be "ed25519 <key version> <public key in base64> <when it was last in use, in ms since 1970>"`]);
    }
    return { keyId: `ed25519:${version}`, publicKey, expiredAtMs: Number(expired) };
  });
}

/** One line of the file, line feed included. */
export function formatOldSigningKey({ keyId, publicKey, expiredAtMs }: RetiredKey): string {
  return `${keyId.replace(':', ' ')} ${encodeBase64(publicKey)} ${expiredAtMs}\n`;
}
