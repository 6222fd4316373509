/**
 * Autonomous systems of well-known clouds, as registered with the regional internet registries in 2026. A provider's own
 * offices and services are in them too, and customers who bring their own number are in none: this tells where most of
 * a cloud's machines are, no more. One line a cloud; a missing one is added here.
 */
const systems: Readonly<Record<string, readonly number[]>> = {
  akamai: [63949], // Linode
  alibaba: [37963, 45102],
  aws: [7224, 8987, 14618, 16509],
  azure: [8068, 8075, 12076],
  contabo: [51167, 141995],
  digitalocean: [14061],
  gcp: [15169, 19527, 396982],
  hetzner: [24940, 212317, 213230],
  huawei: [136907],
  ibm: [36351], // SoftLayer
  oracle: [31898],
  ovh: [16276, 35540],
  scaleway: [12876, 29447],
  tencent: [45090, 132203],
  vultr: [20473],
};

const byNumber = new Map(Object.entries(systems).flatMap(([cloud, all]) => all.map((asn) => [asn, cloud] as const)));

/** `aws`, `azure`, `gcp` …; undefined for what belongs to no cloud of the table. */
export const cloudOf = (asn: number): string | undefined => byNumber.get(asn);
