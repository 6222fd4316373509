import { installPackages } from '@weir/testing';
import { chromium, type Browser } from 'playwright-core';

/** It reaches for nothing but what it is shown. Without its sandbox, which containers do not let it have. */
const FLAGS = [
  '--no-sandbox',
  '--disable-gpu',
  '--disable-quic',
  '--no-first-run',
  '--disable-background-networking',
  '--disable-component-update',
  '--disable-sync',
];

/** Debian's Chromium, installed where it is missing, with a new empty profile. */
export async function launchBrowser(): Promise<Browser> {
  await installPackages(['chromium'], { ask: async () => true, progress: () => {} });
  return chromium.launch({ executablePath: '/usr/bin/chromium', args: FLAGS });
}
