/** Intervals of which the numbers are not whole: told as gaps, never as zero. */
export interface Gap {
  /** Unix time in milliseconds, half-open. */
  from: number;
  to: number;
  /**
   * `flow`: nothing went through the broker to the counters, so what happened then may be missing or come late.
   * `emergency`: events came through the emergency path (ingest's spool), because the broker was away.
   * `outage`: a service said that it was down (`io.weir.outage`).
   */
  reason: 'flow' | 'emergency' | 'outage';
  /** Of an outage: the service. */
  service?: string;
}

export interface Flow {
  /** The gaps within a range, in order of time; at most some hundred, then the last one reaches to the end. */
  gaps(from: number, to: number): Promise<readonly Gap[]>;
}
