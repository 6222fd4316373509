import type { DebianPackage } from '@weir/testing';
import type { Abilities, Client, ClientName } from './client';
import { startContainerd } from './containerd';
import { storageClient } from './containers-image';
import { startDocker } from './docker';
import { startSkopeo } from './skopeo';

/** How each client is come by, and what it can do. */
export interface ClientKind {
  packages: readonly DebianPackage[];
  abilities: Abilities;
  /** `dir` is its own, and does not exist yet. @throws when it cannot run here */
  start(dir: string): Promise<Client>;
}

const image = { wholeIndex: false, artifacts: false, schema1: true, again: 'manifest' } as const;

export const kinds: Readonly<Record<ClientName, ClientKind>> = {
  docker: { packages: ['docker.io'], abilities: { ...image, again: 'check' }, start: startDocker },
  podman: {
    packages: ['podman'],
    abilities: image,
    start: (dir) =>
      storageClient('podman', dir, {
        global: ['--tmpdir', `${dir}/libpod`, '--cgroup-manager=cgroupfs', '--events-backend=none'],
        pull: [],
      }),
  },
  skopeo: { packages: ['skopeo'], abilities: { ...image, wholeIndex: true, artifacts: true }, start: startSkopeo },
  buildah: {
    packages: ['buildah'],
    abilities: image,
    // Without it a second pull of a tag that is there asks nobody.
    start: (dir) => storageClient('buildah', dir, { global: [], pull: ['--policy=always'] }),
  },
  containerd: {
    packages: ['containerd'],
    abilities: { wholeIndex: true, artifacts: true, schema1: true, again: 'check' },
    start: startContainerd,
  },
};
