/**
 * What is there at once or will be. Most requests wait for nothing: a promise for each of their steps would cost more
 * than the steps themselves.
 */
export type Soon<T> = T | Promise<T>;

/** Goes on with a value as soon as it is there: at once where it is. What is thrown at once is thrown, not rejected. */
export function soon<T, R>(value: Soon<T>, then: (value: T) => Soon<R>): Soon<R> {
  return value instanceof Promise ? value.then(then) : then(value);
}
