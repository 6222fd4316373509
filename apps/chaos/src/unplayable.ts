/** Entries of the catalogue (reference reliability A.9) that one machine cannot play, or that are played elsewhere. */
export interface Unplayable {
  id: string;
  /** Why, and where the promise is tested instead. */
  reason: string;
}

export const unplayable: readonly Unplayable[] = [];
