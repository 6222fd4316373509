'use strict';
// Not a module: it has to be done before the page is painted. What the system prefers counts until somebody chooses.
(() => {
  const system = matchMedia('(prefers-color-scheme: dark)');
  const root = document.documentElement;

  const chosen = () => {
    try {
      return localStorage.getItem('weir-theme');
    } catch {
      return null; // storage is switched off
    }
  };
  const apply = (theme) => {
    root.dataset.theme = theme ?? (system.matches ? 'dark' : 'light');
    root.dispatchEvent(new Event('theme'));
  };

  apply(chosen());
  system.addEventListener('change', () => apply(chosen()));
  document.addEventListener('DOMContentLoaded', () => {
    const button = document.getElementById('theme');
    const label = () => {
      button.textContent = root.dataset.theme === 'dark' ? 'Light' : 'Dark';
      button.setAttribute('aria-label', `Change to the ${button.textContent.toLowerCase()} theme`);
    };
    label();
    root.addEventListener('theme', label);
    button.addEventListener('click', () => {
      const theme = root.dataset.theme === 'dark' ? 'light' : 'dark';
      try {
        localStorage.setItem('weir-theme', theme);
      } catch {
        // It lasts until the page is loaded again.
      }
      apply(theme);
    });
  });
})();
