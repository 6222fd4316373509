/** The lists as one, each in its own order, as chance has it. */
export function interleaved<T>(lists: readonly (readonly T[])[], random: () => number): T[] {
  const left = lists.map((list) => [...list]).filter((list) => list.length > 0);
  const mixed: T[] = [];
  while (left.length > 0) {
    const chosen = Math.floor(random() * left.length);
    const next = left[chosen]?.shift();
    if (next !== undefined) mixed.push(next);
    if (left[chosen]?.length === 0) left.splice(chosen, 1);
  }
  return mixed;
}
