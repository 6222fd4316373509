import { execFile } from 'node:child_process';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { needProgram } from './servers/private-server';

/** A certificate and its private key, as PEM files. */
export interface Certificate {
  certFile: string;
  keyFile: string;
}

/** Somebody who signs certificates, for one test. */
export interface Authority extends Certificate {
  /** Makes a key and signs its certificate; `names` are DNS names and IP addresses. */
  issue(options: { names: readonly string[]; commonName?: string; expired?: boolean }): Promise<Certificate>;
}

const DAYS = 2;
/** `openssl x509` takes no dates before 3.4, but a certificate that ended yesterday it makes. */
const YESTERDAY = -1;

/** Makes a certificate authority with openssl; its files, and those of what it issues, go into `dir`. */
export async function createAuthority(dir: string, name: string): Promise<Authority> {
  const own = await newKey(dir, name);
  const subject = ['-subj', `/CN=Weir test authority ${name}`];
  await openssl(['req', '-x509', '-new', '-key', own.keyFile, ...subject, '-days', String(DAYS), '-out', own.certFile]);
  let issued = 0;
  return {
    ...own,
    async issue({ names, commonName = 'somebody', expired = false }) {
      const made = await newKey(dir, `${name}-${(issued += 1)}`);
      const request = `${made.certFile}.request`;
      await openssl(['req', '-new', '-key', made.keyFile, '-subj', `/CN=${commonName}`, '-out', request]);
      const extensions = `${made.certFile}.extensions`;
      await writeFile(extensions, `subjectAltName=${names.map(alternativeName).join(',')}\n`);
      await openssl([
        'x509', '-req', '-in', request, '-CA', own.certFile, '-CAkey', own.keyFile, '-set_serial', String(issued),
        '-days', String(expired ? YESTERDAY : DAYS), '-extfile', extensions, '-out', made.certFile,
      ]); // prettier-ignore
      return made;
    },
  };
}

function alternativeName(name: string): string {
  return /^[\d.]+$|:/.test(name) ? `IP:${name}` : `DNS:${name}`;
}

async function newKey(dir: string, name: string): Promise<Certificate> {
  const made = { certFile: join(dir, `${name}.crt`), keyFile: join(dir, `${name}.key`) };
  await openssl(['ecparam', '-name', 'prime256v1', '-genkey', '-noout', '-out', made.keyFile]);
  return made;
}

async function openssl(args: readonly string[]): Promise<void> {
  await promisify(execFile)(needProgram('openssl', 'openssl'), args, { timeout: 30_000 });
}
