import { runWorker } from '@weir/worker';
import { influxWorker } from './influx';

// 150,000 events with InfluxDB and RabbitMQ: 162 MB at most with the usual 100, 137 with this.
void runWorker(influxWorker, process, { heapGrowthPercent: 40 });
