import { runWorker } from '@weir/worker';
import { mongoWorker } from './mongo';

void runWorker(mongoWorker, process);
