// Shifts the wall clock of a process by CLOCK_SHIFT_MS, as a machine with a wrong clock has it. Monotonic time stays.
const shiftMs = Number(process.env.CLOCK_SHIFT_MS);
const RealDate = Date;

class ShiftedDate extends RealDate {
  constructor(...parts) {
    if (parts.length === 0) super(RealDate.now() + shiftMs);
    else super(...parts);
  }
  static now() {
    return RealDate.now() + shiftMs;
  }
}
global.Date = ShiftedDate;
