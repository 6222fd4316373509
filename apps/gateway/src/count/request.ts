import type { Client, Reference } from '@weir/registry';
import type { Facts, Seen } from './knowledge';
import type { Rule } from '../rules/rules';
import type { Soon } from '../soon';
import type { ClientSource } from '../source/sources';
import type { Upstream } from '../answer/upstream';

/** A client's request for a manifest, or for what refers to one. */
export interface ManifestRequest {
  /** When the request arrived: the time of its event. */
  at: Date;
  method: 'GET' | 'HEAD';
  rule: Rule;
  upstream: Upstream;
  /** As the client named it. */
  repository: string;
  /** As the upstream calls it. */
  name: string;
  reference: Reference;
  client: Client | undefined;
  /** Who asked. */
  from: ClientSource;
  accept: string | undefined;
  ifNoneMatch: string | undefined;
  authorization: string | undefined;
  /** Of verified credentials; see {@link Identity}. Called at most once, after the upstream has accepted them. */
  organization: () => Soon<string | undefined>;
}

/** A client's request for a blob that is being answered. */
export interface BlobRequest {
  from: ClientSource;
  /** As the client named it. */
  repository: string;
  digest: string;
  /** The `Range` header, where the answer follows it. */
  range: string | undefined;
}

/** What the upstream said to the request, as far as counting goes. */
export interface Answered extends Seen {
  status: number;
  /** What is known of the image, where that needs no more asking: for those who get the same answer. */
  facts?: Facts;
}

/** Whose requests for which image are counted in their order, as steps of the same visits. */
export function keyOf({ from, repository }: Pick<ManifestRequest, 'from' | 'repository'>): string {
  return `${from.key} ${repository}`;
}
