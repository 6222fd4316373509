import { createPrivateKey, X509Certificate } from 'node:crypto';
import { readFileSync } from 'node:fs';
import { ConfigError } from '@weir/service';
import type { Config, ConfigProblem } from '@weir/service';
import type { variables } from './config';

/** What a server needs to speak TLS; with `ca` it asks every client for a certificate and refuses who has none. */
export interface Tls {
  cert: string;
  key: string;
  ca?: string;
  requestCert: boolean;
  rejectUnauthorized: boolean;
}

type Files = Pick<
  Config<typeof variables>,
  'INGEST_KEYS' | 'INGEST_TLS_CERT_FILE' | 'INGEST_TLS_KEY_FILE' | 'INGEST_TLS_CLIENT_CA_FILE'
>;

/**
 * Reads the files that the INGEST_TLS_ variables name; undefined when there are none.
 *
 * @throws ConfigError naming every variable that is wrong: a file that cannot be read or is no PEM, a key that is not
 * that of the certificate, one variable without another that it needs.
 */
export function readTls(config: Files): Tls | undefined {
  const problems: ConfigProblem[] = [];
  const say = (variable: string, message: string) => void problems.push({ variable, message });
  const read = <T>(variable: keyof Files, parse: (pem: string) => T): { pem: string; parsed: T } | undefined => {
    const path = config[variable] as string | undefined;
    if (path === undefined) return undefined;
    try {
      const pem = readFileSync(path, 'utf8');
      return { pem, parsed: parse(pem) };
    } catch (error) {
      const { code, syscall } = error as NodeJS.ErrnoException;
      say(variable, syscall ? `the file cannot be read (${code})` : 'the file holds nothing of the kind in PEM');
      return undefined;
    }
  };

  const cert = read('INGEST_TLS_CERT_FILE', (pem) => new X509Certificate(pem));
  const key = read('INGEST_TLS_KEY_FILE', (pem) => createPrivateKey(pem));
  const ca = read('INGEST_TLS_CLIENT_CA_FILE', (pem) => new X509Certificate(pem));
  const { INGEST_TLS_CERT_FILE: certFile, INGEST_TLS_KEY_FILE: keyFile, INGEST_TLS_CLIENT_CA_FILE: caFile } = config;
  if (certFile === undefined && keyFile !== undefined) say('INGEST_TLS_CERT_FILE', 'is missing beside INGEST_TLS_KEY_FILE'); // prettier-ignore
  if (certFile !== undefined && keyFile === undefined) say('INGEST_TLS_KEY_FILE', 'is missing beside INGEST_TLS_CERT_FILE'); // prettier-ignore
  if (certFile === undefined && caFile !== undefined) say('INGEST_TLS_CLIENT_CA_FILE', 'needs INGEST_TLS_CERT_FILE: without TLS no client can show a certificate'); // prettier-ignore
  if (cert && key && !cert.parsed.checkPrivateKey(key.parsed)) {
    say('INGEST_TLS_KEY_FILE', 'is not the key of INGEST_TLS_CERT_FILE');
  }
  const bound = config.INGEST_KEYS.find(({ certificate }) => certificate !== undefined);
  if (bound && caFile === undefined) {
    say('INGEST_KEYS', `${bound.name} has certificate=, which needs INGEST_TLS_CLIENT_CA_FILE`);
  }
  if (problems.length > 0) throw new ConfigError(problems);
  if (!cert || !key) return undefined;
  return {
    cert: cert.pem,
    key: key.pem,
    ...(ca ? { ca: ca.pem } : {}),
    requestCert: ca !== undefined,
    rejectUnauthorized: true,
  };
}
