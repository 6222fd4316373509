import { createEvent } from '@weir/events';
import { readConfig } from '@weir/service';
import { describeWorker, startInfluxdb, temporaryDirectory } from '@weir/testing';
import { influxWorker } from './influx';
import { connectServer } from './server';

describeWorker(influxWorker, async () => {
  const directory = await temporaryDirectory();
  const influxdb = await startInfluxdb({ dir: `${directory.path}/influxdb` });
  const config = readConfig(influxWorker.variables, { INFLUX_URL: influxdb.url });
  const client = await connectServer({ url: influxdb.url });
  // What makes one event unacceptable: somebody else wrote text where ours has a number, in the same week.
  const time = new Date('2026-11-23T06:54:00Z');
  await client.ensureDatabase('weir');
  await client.write('weir', [`scan_finished bytes="many" ${time.getTime()}000000`]);

  return {
    server: influxdb,
    config,
    unacceptable: createEvent(
      'io.weir.scan.finished',
      { repository: 'acme/app', outcome: 'failed', bytes: 1 },
      { source: 'conformance', time },
    ),
    async count() {
      let points = 0;
      for await (const { values } of client.query('weir', 'SELECT count("identity") FROM /.*/'))
        points += Number(values[0]?.[1]);
      return points;
    },
    async close() {
      client.close();
      await influxdb.stop();
      await directory.remove();
    },
  };
});
