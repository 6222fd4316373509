import { parseClient, redirectCapability } from './client';

/** Strings as real clients send them: reference gateways-registries-sinks, 2.3. */
const REAL: [userAgent: string, name: string, version: string | undefined, capability: string][] = [
  ['docker/27.1.1 go/go1.21.12 git-commit/cc13f95 kernel/6.1.0-23-amd64 os/linux arch/amd64 UpstreamClient(Docker-Client/27.1.1 \\(linux\\))', 'docker', '27.1.1', 'public'],
  ['docker/20.10.24+dfsg1 go/go1.19.8 kernel/6.1.0 os/linux arch/arm64', 'docker', '20.10.24+dfsg1', 'public'],
  ['Docker-Client/20.10.24 (linux)', 'docker', '20.10.24', 'public'],
  ['containerd/1.7.12', 'containerd', '1.7.12', 'private'],
  ['containerd/v1.6.24', 'containerd', '1.6.24', 'private'],
  ['containerd/v2.3.4-k3s1.36', 'containerd', '2.3.4-k3s1.36', 'private'],
  ['containerd/2.2.4+unknown', 'containerd', '2.2.4+unknown', 'private'],
  ['containerd/1.4.3+azure', 'containerd', '1.4.3+azure', 'public'],
  ['containerd/1.4.8', 'containerd', '1.4.8', 'public'],
  ['containerd/1.4.9', 'containerd', '1.4.9', 'private'],
  ['containerd/1.4.13~ds1', 'containerd', '1.4.13~ds1', 'private'],
  ['containerd/1.5.4', 'containerd', '1.5.4', 'public'],
  ['containerd/1.5.5', 'containerd', '1.5.5', 'private'],
  ['containerd/1.3.10', 'containerd', '1.3.10', 'public'],
  ['containerd/1.6.0-beta.1', 'containerd', '1.6.0-beta.1', 'private'],
  ['buildkit/v0.28', 'buildkit', '0.28', 'private'],
  ['buildkit/v0.9-dev', 'buildkit', '0.9-dev', 'public'],
  ['cri-o/1.29.1 go/go1.21.7 os/linux arch/amd64', 'cri-o', '1.29.1', 'public'],
  ['containers/5.39.2 (github.com/containers/image)', 'containers-image', '5.39.2', 'public'],
  ['libpod/4.3.1', 'podman', '4.3.1', 'public'],
  ['skopeo/1.9.3', 'skopeo', '1.9.3', 'public'],
  ['Buildah/1.28.2', 'buildah', '1.28.2', 'public'],
  ['Helm/3.13.3', 'helm', '3.13.3', 'public'],
  ['oras/1.1.0', 'oras', '1.1.0', 'public'],
  ['oras-go', 'oras', undefined, 'public'],
  ['crane/v0.19.0 go-containerregistry/v0.19.0', 'crane', '0.19.0', 'public'],
  ['go-containerregistry/v0.20.2', 'go-containerregistry', '0.20.2', 'public'],
  ['kaniko/v1.9.1,tekton', 'kaniko', '1.9.1', 'public'],
  ['cosign/v2.2.4 (linux; amd64) go-containerregistry/v0.19.1', 'cosign', '2.2.4', 'public'],
  ['Watchtower (Docker)', 'watchtower', undefined, 'public'],
  ['curl/7.88.1', 'curl', '7.88.1', 'unknown'],
  ['Mozilla/5.0 (X11; Linux x86_64)', 'mozilla', '5.0', 'unknown'],
  ['notcontainerd/1.7.0', 'notcontainerd', '1.7.0', 'unknown'],
]; // prettier-ignore

test.each(REAL)('%s', (userAgent, name, version, capability) => {
  const client = parseClient(userAgent);
  expect(client).toEqual(version === undefined ? { name } : { name, version });
  expect(redirectCapability(client)).toBe(capability);
});

test.each([undefined, '', '   ', '(nothing)', '\u0000\u0001', 'é/1'])('%p names no client', (userAgent) => {
  expect(parseClient(userAgent)).toBeUndefined();
  expect(redirectCapability(undefined)).toBe('unknown');
});

test('control characters are dropped and never reach a name or version', () => {
  expect(parseClient('dock\u0007er/1.\u009b2\u0000.3 x')).toEqual({ name: 'docker', version: '1.2.3' });
});

test('only the first 512 characters are looked at, and names and versions are bounded', () => {
  expect(parseClient(`docker/1.0 ${'Mozilla'.repeat(10_000)}`)).toEqual({ name: 'docker', version: '1.0' });
  expect(parseClient('a'.repeat(64 * 1024))).toBeUndefined();
  expect(parseClient(`docker/${'1'.repeat(400)}`)).toBeUndefined();
});

test('a version without numbers re-authenticates nowhere', () => {
  expect(redirectCapability({ name: 'containerd', version: 'devel' })).toBe('public');
  expect(redirectCapability({ name: 'containerd' })).toBe('public');
});
