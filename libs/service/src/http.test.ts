import { createServer } from 'node:http';
import { listen, StartError } from './index';

test('a taken port is an error that names the port, its variable and who holds it', async () => {
  const holder = createServer();
  const taken = await listen(holder, { host: '127.0.0.1', port: 0, variable: 'FIRST_PORT' });
  try {
    const second = listen(createServer(), { host: '127.0.0.1', port: taken, variable: 'SECOND_PORT' });
    await expect(second).rejects.toThrow(StartError);
    await expect(second).rejects.toThrow(new RegExp(`Port ${taken} is taken.*process ${process.pid}.*SECOND_PORT`));
  } finally {
    holder.close();
  }
});
