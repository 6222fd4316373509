/** Who asks: an `Authorization` header, kept for this tab until it is closed. */

const NAME = 'weir-authorization';
let current = read();

function read() {
  try {
    return sessionStorage.getItem(NAME);
  } catch {
    return null; // storage is switched off: it lasts until the page is loaded again
  }
}

export const authorization = () => current;

export function signInWithPassword(name, password) {
  const bytes = new TextEncoder().encode(`${name}:${password}`);
  remember(`Basic ${btoa(String.fromCharCode(...bytes))}`);
}

export function signInWithKey(key) {
  remember(`Bearer ${key}`);
}

export function signOut() {
  remember(null);
}

function remember(header) {
  current = header;
  try {
    if (header === null) sessionStorage.removeItem(NAME);
    else sessionStorage.setItem(NAME, header);
  } catch {
    // As above.
  }
}
