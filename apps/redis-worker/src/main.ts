import { runWorker } from '@weir/worker';
import { redisWorker } from './redis';

void runWorker(redisWorker, process);
