import { readFileSync } from 'node:fs';
import { createAuthority, temporaryDirectory } from '@weir/testing';
import { explainTls, readConfig } from './index';
import { commonVariables } from './run';

let dir: Awaited<ReturnType<typeof temporaryDirectory>>;
beforeAll(async () => {
  dir = await temporaryDirectory();
});
afterAll(() => dir.remove());

const checked = (env: Record<string, string>) => () => readConfig(commonVariables, env);

test('a file of authorities must be one, before anything trusts in it', async () => {
  const { certFile, keyFile } = await createAuthority(dir.path, 'ca');
  expect(checked({ NODE_EXTRA_CA_CERTS: certFile })).not.toThrow();
  expect(checked({})).not.toThrow();
  expect(checked({ NODE_EXTRA_CA_CERTS: '/nowhere/ca.crt' })).toThrow(
    /NODE_EXTRA_CA_CERTS: the file cannot be read \(ENOENT\)/,
  );
  expect(checked({ NODE_EXTRA_CA_CERTS: dir.path })).toThrow(/NODE_EXTRA_CA_CERTS: the file cannot be read \(EISDIR\)/);
  expect(checked({ NODE_EXTRA_CA_CERTS: keyFile })).toThrow(
    /NODE_EXTRA_CA_CERTS: the file holds no certificate in PEM/,
  );
  const secret = readFileSync(keyFile, 'utf8').split('\n')[1] ?? '';
  expect(checked({ NODE_EXTRA_CA_CERTS: keyFile })).not.toThrow(secret);
});

test('no app starts with the verification of certificates turned off', () => {
  expect(checked({ NODE_TLS_REJECT_UNAUTHORIZED: '0' })).toThrow(
    /NODE_TLS_REJECT_UNAUTHORIZED: must not be 0: .*NODE_EXTRA_CA_CERTS/,
  );
  expect(checked({ NODE_TLS_REJECT_UNAUTHORIZED: '1' })).not.toThrow();
});

test('an error of TLS says what to do, wherever it stands; another error is not taken for one', () => {
  const of = (code: string, message = 'x') => Object.assign(new Error(message), { code });
  expect(explainTls(of('DEPTH_ZERO_SELF_SIGNED_CERT'))).toMatch(/NODE_EXTRA_CA_CERTS/);
  expect(
    explainTls(new Error('selection', { cause: new Error('network', { cause: of('CERT_HAS_EXPIRED') }) })),
  ).toMatch(/expired/);
  expect(explainTls(new Error('unable to get local issuer certificate'))).toMatch(/NODE_EXTRA_CA_CERTS/);
  expect(explainTls(of('ERR_TLS_CERT_ALTNAME_INVALID'))).toMatch(/another host/);
  expect(explainTls(of('CERT_NOT_YET_VALID'))).toMatch(/clock/);
  expect(explainTls(of('ECONNREFUSED', 'connect ECONNREFUSED 127.0.0.1:1'))).toBeUndefined();
  expect(explainTls('certificate has expired')).toBeUndefined();
  const circle: Error & { cause?: unknown } = new Error('round');
  circle.cause = circle;
  expect(explainTls(circle)).toBeUndefined();
});
