import { runWorker } from '@weir/worker';
import { influxWorker } from './influx';

void runWorker(influxWorker, process);
