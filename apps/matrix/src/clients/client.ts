import type { Platform } from '../images';

/** One way of asking for an image. */
export interface Pull {
  /** `127.0.0.1:port` of what the client takes for the registry. */
  host: string;
  repository: string;
  /** `:tag` or `@digest`. */
  reference: string;
  /** The platform of the machine, each of these by itself, or all that the index has at once. */
  platforms: 'own' | 'all' | readonly Platform[];
  /** An artifact that is no image: fetched, not unpacked. */
  artifact: boolean;
  login?: Login;
}

export interface Login {
  user: string;
  password: string;
}

/** A real client: a program, and what it can do. */
export interface Client {
  name: ClientName;
  version: string;
  /** @throws with what the client said, when it could not */
  pull(pull: Pull): Promise<void>;
  /** Takes down what was started for it, and removes what it has stored. */
  stop(): Promise<unknown>;
}

/** What the expectation of a cell depends on: what a client does, not what Weir makes of it. */
export interface Abilities {
  /** Copies a whole index at once; otherwise each platform is pulled by itself. */
  wholeIndex: boolean;
  /** Fetches artifacts that are no images. */
  artifacts: boolean;
  /** Pulls the old schema 1. */
  schema1: boolean;
  /** What a second pull asks for when nothing has changed: the manifest again, or only whether it is the same. */
  again: 'manifest' | 'check';
}

export const CLIENTS = ['docker', 'podman', 'skopeo', 'buildah', 'containerd'] as const;
export type ClientName = (typeof CLIENTS)[number];
