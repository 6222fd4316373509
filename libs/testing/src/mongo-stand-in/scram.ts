/**
 * The server's side of SCRAM-SHA-256 (RFC 5802, RFC 7677), as MongoDB's drivers log in: `saslStart`, then
 * `saslContinue` until done. One user, whose password is given to the stand-in on its start.
 */
import { createHash, createHmac, pbkdf2Sync, randomBytes, timingSafeEqual } from 'node:crypto';
import { CommandError } from './errors';

export const mechanism = 'SCRAM-SHA-256';
const iterations = 15_000;

export interface Login {
  /** Answers one message of the client. Throws AuthenticationFailed. */
  answer(message: string): { message: string; proven: boolean };
}

export type Users = {
  startLogin(): Login;
  /** For logins from now on, until the stand-in is started again. Throws UserNotFound. */
  changePassword(name: string, password: string): void;
};

const hmac = (key: Buffer, text: string) => createHmac('sha256', key).update(text).digest();
const sha256 = (value: Buffer) => createHash('sha256').update(value).digest();
const xor = (a: Buffer, b: Buffer) => Buffer.from(a.map((byte, index) => byte ^ b[index]!));
const field = (message: string, name: string) => new RegExp(`(?:^|,)${name}=([^,]*)`).exec(message)?.[1] ?? '';

/** Knows one user. The password itself is not kept. */
export function createUsers({ user, password }: { user: string; password: string }): Users {
  let keys = keysOf(password);
  const failed = () => new CommandError(18, 'Authentication failed.');

  return {
    changePassword(name, changed) {
      if (name !== user) throw new CommandError(11, `User ${name}@admin not found`);
      keys = keysOf(changed);
    },
    startLogin() {
      const { salt, storedKey, serverKey } = keys;
      let first = '';
      let challenge = '';
      let proven = false;
      return {
        answer(message) {
          if (proven) return { message: '', proven };
          if (!challenge) {
            first = message.replace(/^[ny],[^,]*,/, '');
            const name = field(first, 'n').replaceAll('=2C', ',').replaceAll('=3D', '=');
            if (name !== user || !field(first, 'r')) throw failed();
            challenge = `r=${field(first, 'r')}${randomBytes(18).toString('base64')},s=${salt.toString('base64')},i=${iterations}`;
            return { message: challenge, proven };
          }
          const withoutProof = message.replace(/,p=[^,]*$/, '');
          const transcript = `${first},${challenge},${withoutProof}`;
          const proof = Buffer.from(field(message, 'p'), 'base64');
          if (proof.length !== 32 || field(message, 'r') !== field(challenge, 'r')) throw failed();
          if (!timingSafeEqual(sha256(xor(proof, hmac(storedKey, transcript))), storedKey)) throw failed();
          proven = true;
          return { message: `v=${hmac(serverKey, transcript).toString('base64')}`, proven };
        },
      };
    },
  };
}

function keysOf(password: string) {
  const salt = randomBytes(16);
  const salted = pbkdf2Sync(password.normalize('NFKC'), salt, iterations, 32, 'sha256');
  return { salt, storedKey: sha256(hmac(salted, 'Client Key')), serverKey: hmac(salted, 'Server Key') };
}
