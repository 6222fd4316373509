import { amqpUrl, bytes, directory, flag, integer, list, port, seconds, text, variable } from '@weir/service';
import { z } from 'zod';
import { keyList } from './keys';

const MIB = 1024 * 1024;
const GIB = 1024 * MIB;

export const variables = {
  BUILD_SERVICE_PORT: variable(port().default(8082), { description: 'Port of POST /builds and POST /mirrors.' }),
  BUILD_KEYS: variable(keyList().default([]), {
    description:
      'Who may ask for builds and mirrors: a comma list of name:sha256hex[:organization]. The hash is that of the ' +
      'key. A key with an organization sees only what its organization asked for.',
    example: 'ci:9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08:example.com',
    secret: true,
  }),
  BUILD_ANONYMOUS: variable(flag().default(false), {
    description: 'true lets everybody who reaches the port build and mirror, without a key. A build runs programs.',
  }),
  BUILD_CONCURRENCY: variable(integer(1, 64, 'jobs').default(2), { description: 'Builds and mirrors at one time.' }),
  BUILD_QUEUE: variable(integer(0, 10_000, 'jobs').default(32), {
    description: 'Jobs that may wait; one more is answered with 503 and Retry-After.',
  }),
  BUILD_HISTORY: variable(integer(1, 10_000, 'jobs').default(200), {
    description: 'Finished jobs whose state and log are kept.',
  }),
  BUILD_TIMEOUT_SECONDS: variable(seconds(1, 24 * 3600).default(1800), {
    description: 'How long one job may run (not wait) before it is ended, seconds.',
  }),
  BUILD_LOG_BYTES: variable(bytes(1024, GIB).default(MIB), {
    description: 'Most bytes of one log; the rest is dropped.',
  }),
  BUILD_CONTEXT_BYTES: variable(bytes(1024, 64 * GIB).default(512 * MIB), {
    description: 'Largest build context as it is uploaded, bytes.',
  }),
  BUILD_UNPACKED_BYTES: variable(bytes(1024, 256 * GIB).default(2 * GIB), {
    description: 'Largest build context when it is unpacked, bytes.',
  }),
  BUILD_CONTEXT_ENTRIES: variable(integer(1, 10_000_000, 'entries').default(100_000), {
    description: 'Most files, directories and links in a build context.',
  }),
  BUILD_ISOLATION: variable(
    z.enum(['chroot', 'oci', 'rootless'], 'must be chroot, oci or rootless').default('chroot'),
    {
      description:
        'How buildah isolates RUN instructions; chroot needs nothing else, but a program that wants out gets out.',
    },
  ),
  BUILD_STORAGE_DRIVER: variable(z.enum(['vfs', 'overlay'], 'must be vfs or overlay').default('vfs'), {
    description: 'How buildah stores layers; vfs works everywhere, overlay takes less disk where the kernel lets it.',
  }),
  INSECURE_REGISTRIES: variable(list().default([]), {
    description: 'Registries (host:port) in plain HTTP, or with a certificate that cannot be verified; a comma list.',
    example: '127.0.0.1:5000',
  }),
  TARGET_REGISTRIES: variable(list().default([]), {
    description: 'Where builds and mirrors may push, as host[:port][/path]; a comma list. Empty allows every registry.',
    example: 'registry.example.com/team',
  }),
  SOURCE_REGISTRIES: variable(list().default([]), {
    description: 'Where mirrors may come from, as host[:port][/path]; a comma list. Empty allows every registry.',
    example: 'docker.io/library',
  }),
  REGISTRY_AUTH_FILE: variable(directory().optional(), {
    description: 'File with the credentials of registries, as docker login and skopeo login write it.',
    example: '/etc/weir/registries.json',
  }),
  WORK_DIR: variable(directory().default('.weir/work/build-service'), {
    description: 'Folder for the journal of jobs, contexts and layers; one for each process, on a disk that lasts.',
    example: '/var/lib/weir/build-service/work',
  }),
  AMQP_URL: variable(amqpUrl().default('amqp://127.0.0.1:5672'), {
    description:
      'RabbitMQ, user and password included; of a cluster several URLs with commas between them, tried in random order.',
    example: 'amqp://weir:secret@rabbitmq:5672',
    secret: true,
  }),
  SPOOL_DIR: variable(directory().default('.weir/spool/build-service'), {
    description: 'Folder for events that the broker has not confirmed; one for each process, on a disk that lasts.',
    example: '/var/lib/weir/build-service/spool',
  }),
  SPOOL_BYTES: variable(bytes(MIB).default(GIB), { description: 'Most bytes that the spool may take.' }),
  PATH: variable(text().default('/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin'), {
    description: 'Where buildah and skopeo are looked for.',
  }),
  HTTPS_PROXY: variable(text().optional(), { description: 'Proxy for buildah and skopeo, passed on.', secret: true }),
  HTTP_PROXY: variable(text().optional(), { description: 'Proxy for buildah and skopeo, passed on.', secret: true }),
  NO_PROXY: variable(text().optional(), { description: 'Hosts that are reached without the proxy, passed on.' }),
};
