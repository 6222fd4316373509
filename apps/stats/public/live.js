import { setAttribute } from './dom.js';

const EVERY_MS = 10_000;

/** Calls `refresh` every ten seconds while the switch is on, the page can be seen and it is wanted; never twice at a time. */
export function createLive(button, { isOn, isWanted, toggle, refresh }) {
  let timer;
  let running = false;

  async function run() {
    clearTimeout(timer);
    if (running || !isOn() || document.hidden) return;
    running = true;
    try {
      if (isWanted()) await refresh();
    } finally {
      running = false;
      plan();
    }
  }
  function plan() {
    clearTimeout(timer);
    if (isOn() && !document.hidden) timer = setTimeout(run, EVERY_MS);
  }

  document.addEventListener('visibilitychange', () => void run());
  addEventListener('online', () => void run());
  button.addEventListener('click', toggle);
  return () => {
    setAttribute(button, 'aria-pressed', String(isOn()));
    plan();
  };
}
