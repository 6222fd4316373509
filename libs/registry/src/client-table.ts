/** What a client does with an answer, as far as it decides how a request is answered. */
export interface Capability {
  /** Follows a 307 to another host, for content that needs no credentials there. */
  follows307: boolean;
  /** Logs in at that other host by itself when it is asked to, with credentials that it has for it. */
  reauthorizes: boolean;
  /** Fails where an answer to its HEAD or GET lacks `Docker-Content-Digest`, instead of hashing the manifest. */
  needsDigestHeader: boolean;
  /** Fetches a blob in ranges, or resumes it: several requests are then one download. */
  sendsRange: boolean;
  /** Takes no redirect to an IP address of a private network, unless it is its registry's own. */
  refusesPrivateAddress: boolean;
}

/** What is known of the releases of a client from one version on, up to and without another. */
export interface Releases {
  /** `1.4.9`; absent: from the first on, and of a client that names no version. */
  from?: string;
  /** Absent: up to the newest. */
  before?: string;
  can: Capability;
  /** Where this can be read up: an issue or pull request (`owner/name#1`), or a file of the client. */
  evidence: string;
}

export interface ClientEntry {
  /** As events say it. */
  name: string;
  /** The product at the head of the `User-Agent`, in lower case. */
  products: readonly string[];
  /** The first that fits decides. */
  releases: readonly Releases[];
}

const NOTHING: Capability = {
  follows307: false,
  reauthorizes: false,
  needsDigestHeader: false,
  sendsRange: false,
  refusesPrivateAddress: false,
};
const FOLLOWS: Capability = { ...NOTHING, follows307: true };

/** The docker daemon. Its containerd image store logs in elsewhere, its older store does not; both say `docker/` first. */
const DOCKER = { ...FOLLOWS, sendsRange: true };
const CONTAINERD = { ...FOLLOWS, reauthorizes: true, sendsRange: true };

/** github.com/containers/image, in podman, skopeo, buildah and CRI-O: one challenge, that of the host it asked first. */
const CONTAINERS_IMAGE = { ...FOLLOWS, sendsRange: true };
const containersImage: readonly Releases[] = [{ can: CONTAINERS_IMAGE, evidence: 'containers/image#641' }];

/** go-containerregistry and what is built on it: anonymous at another host, and wary of private ones since 0.21.6. */
const GGCR = { ...FOLLOWS, needsDigestHeader: true, refusesPrivateAddress: true };
const ggcr: readonly Releases[] = [
  {
    can: GGCR,
    evidence:
      'google/go-containerregistry#2332, #2349, #2360; pkg/v1/remote/fetcher.go, headManifest, checkRedirectSSRF',
  },
];

/** oras-go keeps its tokens by the host that was asked, wherever the answer came from. */
const ORAS = { ...FOLLOWS, needsDigestHeader: true };

/**
 * The clients that are known, by what can be read in their code and their issues. One that is not here is proxied in
 * mode `auto`. Raise `version` with every change: it is the day of the last one.
 */
export const clientTable: { version: string; entries: readonly ClientEntry[] } = {
  version: '2026-11-27',
  entries: [
    {
      name: 'docker',
      products: ['docker', 'docker-client'],
      releases: [
        {
          can: DOCKER,
          evidence: 'distribution/distribution: registry/client/auth/session.go; #2384; moby/moby#45669, #45333',
        },
      ],
    },
    {
      // k3s, RKE2, nerdctl (containerd/nerdctl#704), ctr; docker up to 24.0 with the containerd image store.
      name: 'containerd',
      products: ['containerd'],
      releases: [
        {
          from: '1.6.0',
          can: CONTAINERD,
          evidence: 'containerd/containerd#5504, in 1.6.0; core/remotes/docker/resolver.go',
        },
        { from: '1.5.5', before: '1.6.0', can: CONTAINERD, evidence: 'containerd/containerd#5766, in 1.5.5' },
        { from: '1.4.9', before: '1.5.0', can: CONTAINERD, evidence: 'containerd/containerd#5767, in 1.4.9' },
        { can: { ...CONTAINERD, reauthorizes: false }, evidence: 'containerd/containerd#5503: not before these' },
      ],
    },
    {
      name: 'buildkit',
      products: ['buildkit'],
      releases: [
        { from: '0.10.0', can: CONTAINERD, evidence: 'moby/buildkit: go.mod of 0.10, the first on containerd 1.6' },
        { can: { ...CONTAINERD, reauthorizes: false }, evidence: 'containerd/containerd#5503' },
      ],
    },
    { name: 'cri-o', products: ['cri-o'], releases: containersImage },
    { name: 'podman', products: ['libpod', 'podman'], releases: containersImage },
    { name: 'skopeo', products: ['skopeo'], releases: containersImage },
    { name: 'buildah', products: ['buildah'], releases: containersImage },
    { name: 'bootc', products: ['bootc'], releases: [{ can: CONTAINERS_IMAGE, evidence: 'bootc-dev/bootc#1943' }] },
    { name: 'containers-image', products: ['containers'], releases: containersImage },
    {
      name: 'diun',
      products: ['diun'],
      releases: [{ can: { ...CONTAINERS_IMAGE, needsDigestHeader: true }, evidence: 'crazy-max/diun#594' }],
    },
    {
      name: 'singularity',
      products: ['singularity', 'singularity-ce', 'singularitypro'],
      releases: [{ can: FOLLOWS, evidence: 'sylabs/singularity#734; pkg/util/user-agent/agent.go' }],
    },
    { name: 'apptainer', products: ['apptainer'], releases: [{ can: FOLLOWS, evidence: 'apptainer/apptainer#415' }] },
    { name: 'crane', products: ['crane', 'gcrane', 'krane'], releases: ggcr },
    { name: 'go-containerregistry', products: ['go-containerregistry'], releases: ggcr },
    { name: 'kaniko', products: ['kaniko'], releases: ggcr },
    { name: 'cosign', products: ['cosign'], releases: ggcr },
    { name: 'ko', products: ['ko'], releases: ggcr },
    { name: 'trivy', products: ['trivy'], releases: ggcr },
    { name: 'syft', products: ['syft'], releases: ggcr },
    { name: 'grype', products: ['grype'], releases: ggcr },
    { name: 'werf', products: ['werf'], releases: ggcr },
    { name: 'flux', products: ['flux'], releases: ggcr },
    {
      name: 'oras',
      products: ['oras', 'oras-go'],
      releases: [{ can: ORAS, evidence: 'oras-project/oras#1318; oras-go: registry/remote/auth/client.go' }],
    },
    {
      name: 'helm',
      products: ['helm'],
      releases: [{ can: ORAS, evidence: 'oras-project/oras-go: registry/remote/auth/client.go' }],
    },
    {
      name: 'regclient',
      products: ['regclient', 'regctl', 'regsync', 'regbot'],
      releases: [
        {
          from: '0.8.0',
          can: { ...FOLLOWS, reauthorizes: true, sendsRange: true },
          evidence: 'regclient/regclient#805, #363',
        },
        {
          can: { ...FOLLOWS, sendsRange: true },
          evidence: 'regclient/regclient#805, of August 2024; internal/reghttp/http.go',
        },
      ],
    },
    {
      name: 'renovate',
      products: ['renovate', 'renovatebot'],
      releases: [{ can: FOLLOWS, evidence: 'renovatebot/renovate#11473' }],
    },
    {
      name: 'harbor',
      products: ['harbor-registry-client', 'harbor-replication-service'],
      releases: [
        {
          can: { ...FOLLOWS, needsDigestHeader: true, sendsRange: true },
          evidence: 'goharbor/harbor: src/pkg/registry/client.go',
        },
      ],
    },
    {
      // Asks by HEAD; what it then pulls is asked for by docker.
      name: 'watchtower',
      products: ['watchtower'],
      releases: [{ can: { ...NOTHING, needsDigestHeader: true }, evidence: 'nicholas-fedor/watchtower#761, #763' }],
    },
    {
      name: 'wud',
      products: ['wud'],
      releases: [{ can: NOTHING, evidence: 'getwud/wud#1280: the name; no more is known' }],
    },
    {
      name: 'jib',
      products: ['jib'],
      releases: [
        { can: NOTHING, evidence: 'GoogleContainerTools/jib#408: redirects; of another host no more is known' },
      ],
    },
    {
      name: 'nexus',
      products: ['nexus'],
      releases: [{ can: NOTHING, evidence: 'sonatype/nexus-public#1061: refuses some redirects' }],
    },
    {
      name: 'artifactory',
      products: ['artifactory'],
      releases: [{ can: NOTHING, evidence: 'kubernetes/registry.k8s.io#258' }],
    },
    {
      name: 'dependabot',
      products: ['dependabot-core'],
      releases: [{ can: NOTHING, evidence: 'no more is known than its name' }],
    },
    // What programs say that do not name themselves: anything may be behind it.
    {
      name: 'curl',
      products: ['curl'],
      releases: [{ can: NOTHING, evidence: 'curl follows nothing without --location' }],
    },
    {
      name: 'go-http-client',
      products: ['go-http-client'],
      releases: [{ can: NOTHING, evidence: 'vmware/vic#2934, GoogleContainerTools/kaniko#3361: many a program' }],
    },
    { name: 'okhttp', products: ['okhttp'], releases: [{ can: NOTHING, evidence: 'many a program' }] },
    {
      name: 'python-requests',
      products: ['python-requests'],
      releases: [{ can: NOTHING, evidence: 'many a program' }],
    },
  ],
};
