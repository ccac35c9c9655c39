/** Devices and users with keys of end-to-end encryption, signed as clients sign them. For tests. */
import { createHash } from 'node:crypto';
import { encodeBase64 } from '../../pkg/matrix/canonical-json/base64.ts';
import { signJson } from '../../pkg/matrix/signing/sign-json.ts';
import { signingKeyFromSeed, type SigningKey } from '../../pkg/matrix/signing/signing-key.ts';

export interface Signer {
  /** In base64. */
  readonly publicKey: string;
  sign<T extends object>(object: T): T & { signatures: Record<string, Record<string, string>> };
}

export interface TestDevice extends Signer {
  readonly deviceKeys: Record<string, unknown>;
  /** `{ "signed_curve25519:AAAA": … }`: keys with these numbers. */
  oneTimeKeys(from: number, count: number): Record<string, unknown>;
  fallbackKey(number: number): Record<string, unknown>;
}

/** Signs as `@user:server` under `ed25519:<name>`. */
function signerOf(userId: string, seedText: string, nameOf: (publicKey: string) => string): Signer {
  const seed = createHash('sha256').update(seedText).digest();
  const bare = signingKeyFromSeed('x', seed);
  const publicKey = encodeBase64(bare.publicKey);
  const key = { ...bare, keyId: `ed25519:${nameOf(publicKey)}` } as SigningKey;
  return { publicKey, sign: (object) => signJson(object, userId, key) };
}

export function testDevice(userId: string, deviceId: string, salt = ''): TestDevice {
  const signer = signerOf(userId, `${userId} ${deviceId} ${salt}`, () => deviceId);
  const curve = (name: string): string => encodeBase64(createHash('sha256').update(`${userId} ${deviceId} ${name}`).digest());
  const session = (number: number, more: object = {}) => signer.sign({ key: curve(`key ${number}`), ...more });
  const nameOf = (number: number): string => `signed_curve25519:K${String(number).padStart(5, '0')}`;
  return {
    ...signer,
    deviceKeys: signer.sign({
      user_id: userId, device_id: deviceId, algorithms: ['m.olm.v1.curve25519-aes-sha2', 'm.megolm.v1.aes-sha2'],
      keys: { [`curve25519:${deviceId}`]: curve('identity'), [`ed25519:${deviceId}`]: signer.publicKey },
    }),
    oneTimeKeys: (from, count) => Object.fromEntries(Array.from({ length: count }, (_, index) => [nameOf(from + index), session(from + index)])),
    fallbackKey: (number) => ({ [nameOf(number)]: session(number, { fallback: true }) }),
  };
}

export interface TestIdentity {
  readonly master: Signer;
  readonly selfSigning: Signer;
  readonly userSigning: Signer;
  /** Body of POST /keys/device_signing/upload. */
  readonly keys: { readonly master_key: Record<string, unknown>; readonly self_signing_key: Record<string, unknown>; readonly user_signing_key: Record<string, unknown> };
}

export function testIdentity(userId: string, salt = ''): TestIdentity {
  const signer = (usage: string): Signer => signerOf(userId, `${userId} ${usage} ${salt}`, (publicKey) => publicKey);
  const [master, selfSigning, userSigning] = [signer('master'), signer('self_signing'), signer('user_signing')] as const;
  const key = (usage: string, { publicKey }: Signer) => ({ user_id: userId, usage: [usage], keys: { [`ed25519:${publicKey}`]: publicKey } });
  return {
    ...{ master, selfSigning, userSigning },
    keys: { master_key: key('master', master), self_signing_key: master.sign(key('self_signing', selfSigning)), user_signing_key: master.sign(key('user_signing', userSigning)) },
  };
}
