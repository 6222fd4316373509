import type { Socket } from 'node:net';
import { TLSSocket } from 'node:tls';

/**
 * Whether the client on this connection has proved to own a certificate with this very DNS name among its subject
 * alternative names. No wildcard and no common name stands for it (RFC 6125, 6.4.4).
 */
export function hasName(socket: Socket, name: string): boolean {
  if (!(socket instanceof TLSSocket) || !socket.authorized) return false;
  const certificate = socket.getPeerX509Certificate();
  return certificate?.checkHost(name, { subject: 'never', wildcards: false }) !== undefined;
}
