import { spawn } from 'node:child_process';
import { mkdir, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { freePort, needProgram, until } from '@weir/testing';
import type { Bench } from '../case';

/** A server beside the gateway. */
export interface Beside {
  url: string;
  pid: number;
}

/** One of serve.ts. */
export async function serve(bench: Bench, what: 'bare' | 'express' | 'upstream'): Promise<Beside> {
  const port = await freePort();
  return startProgram(bench, process.execPath, [join(__dirname, 'serve.js'), what, String(port)], port);
}

/** nginx with one worker, that redirects everything and writes its access log: the first phase of seed 004. */
export async function serveNginx(bench: Bench): Promise<Beside> {
  const port = await freePort();
  const dir = join(bench.dir, 'nginx');
  await mkdir(dir);
  const conf = join(dir, 'nginx.conf');
  await writeFile(
    conf,
    `daemon off; master_process off; worker_processes 1; pid ${dir}/pid; error_log ${dir}/error.log;
events { worker_connections 1024; }
http {
  access_log ${dir}/access.log; keepalive_requests 1000000;
  client_body_temp_path ${dir}/body; proxy_temp_path ${dir}/proxy; fastcgi_temp_path ${dir}/fastcgi;
  uwsgi_temp_path ${dir}/uwsgi; scgi_temp_path ${dir}/scgi;
  server { listen 127.0.0.1:${port}; return 307 http://registry.example.com$request_uri; }
}
`,
  );
  return startProgram(bench, needProgram('nginx', 'nginx-light'), ['-c', conf, '-e', join(dir, 'error.log')], port);
}

async function startProgram(bench: Bench, program: string, args: readonly string[], port: number): Promise<Beside> {
  const child = spawn(program, args, { stdio: 'ignore', env: { PATH: bench.path } });
  const ended = new Promise((resolve) => child.once('exit', resolve).once('error', resolve));
  bench.onEnd(() => {
    child.kill();
    return ended;
  });
  const url = `http://127.0.0.1:${port}`;
  await until(() => fetch(url, { redirect: 'manual' }));
  return { url, pid: child.pid ?? 0 };
}
