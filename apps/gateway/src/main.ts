import { runApp } from '@weir/service';
import { check, start } from './app';
import { variables } from './config';
import { keepYoungSmall } from './heap';

// What a request leaves behind lives for seconds, and is garbage that has grown old: bench/gateway-memory.mjs takes twice
// the memory without these two.
keepYoungSmall();
void runApp({ name: 'gateway', variables, check, start, heapGrowthPercent: 25 }, process);
