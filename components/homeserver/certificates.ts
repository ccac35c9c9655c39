/** Reads the certificates that settings name. What is wrong with a file is one sentence that names it. */
import { X509Certificate } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { createSecureContext } from 'node:tls';
import type { TlsFiles } from '../../pkg/http/listener.ts';
import type { Settings } from '../../schemas/config/settings.ts';
import { SettingsError } from './config/settings-error.ts';

/** Certificate and key, which belong together. Rejects with `SettingsError`. */
export async function readTlsFiles({ certificateFile, keyFile }: NonNullable<Settings['tls']>): Promise<TlsFiles> {
  const certificate = await readNamed('tls_certificate', certificateFile);
  requireCertificate('tls_certificate', certificateFile, certificate);
  const key = await readNamed('tls_key', keyFile);
  try {
    createSecureContext({ cert: certificate, key });
  } catch (error) {
    const { code, message } = error as NodeJS.ErrnoException;
    const reason = code === 'ERR_OSSL_X509_KEY_VALUES_MISMATCH' ? 'it is the key of another certificate' : `it is no private key in PEM form without a password (${message})`;
    throw new SettingsError([`tls_key names ${keyFile}, which cannot be used with ${certificateFile}: ${reason}`]);
  }
  return { certificate, key };
}

/** The texts of `federation_ca_files`. Rejects with `SettingsError`. */
export async function readAuthorities(paths: readonly string[]): Promise<string[]> {
  return Promise.all(paths.map(async (path) => {
    const text = await readNamed('federation_ca_files', path);
    requireCertificate('federation_ca_files', path, text);
    return text;
  }));
}

async function readNamed(setting: string, path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new SettingsError([`${setting} names ${path}, which ${code === 'ENOENT' ? 'is not there' : `cannot be read: ${code ?? String(error)}`}`]);
  }
}

function requireCertificate(setting: string, path: string, text: string): void {
  try {
    new X509Certificate(text);
  } catch {
    throw new SettingsError([`${setting} names ${path}, which is no certificate in PEM form`]);
  }
}
