import { setFlagsFromString } from 'node:v8';
import { runApp } from '@weir/service';
import { check, start } from './app';
import { variables } from './config';

// What a request leaves behind lives for seconds. Left alone, V8 lets several times of what is in use pile up before it
// collects: bench/gateway-memory.mjs takes twice the memory without this.
setFlagsFromString('--optimize-for-size');

void runApp({ name: 'gateway', variables, check, start }, process);
