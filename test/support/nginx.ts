import assert from 'node:assert/strict';
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import type { TestContext } from 'node:test';
import { freePort } from '../../bench/processes/free-port.ts';
import { runProgram } from './external.ts';
import { ServiceProcess } from './service-process.ts';
import { until } from './until.ts';

export const missingNginx = async () =>
  (await runProgram('nginx', ['-v'])).exitCode === 0 ? undefined : 'nginx is not installed';

/** The shipped configuration with other ports, in a folder that it makes. Gives the path of the whole. */
function configureNginx(folder: string, ports: ReadonlyMap<string, number>): string {
  mkdirSync(folder);
  let shipped = readFileSync('deploy/nginx/siglip-hd.conf', 'utf8');
  for (const [text, port] of ports) {
    assert.equal(shipped.split(text).length, 2, text);
    shipped = shipped.replace(text, text.replace(/\d+$/, String(port)));
  }
  writeFileSync(join(folder, 'siglip-hd.conf'), shipped);
  const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi'].map(
    (name) => `${name}_temp_path ${folder}/${name};`,
  );
  const whole = join(folder, 'nginx.conf');
  writeFileSync(
    whole,
    `daemon off; pid ${folder}/pid; ${process.getuid?.() === 0 ? 'user root;' : ''} error_log ${folder}/error.log;
     events { worker_connections 512; }
     http {
       log_format upstream '$upstream_addr $status'; access_log ${folder}/access.log upstream;
       ${temporary.join('\n')}
       include ${folder}/siglip-hd.conf;
     }`,
  );
  return whole;
}

interface BehindNginx {
  readonly services: readonly ServiceProcess[];
  /** Of each service. */
  readonly ports: readonly { readonly http: number; readonly grpc: number }[];
  /** Of nginx. */
  readonly http: number;
  readonly grpc: number;
}

/** Two services, each of one model, behind an nginx with the shipped configuration, until the test ends. */
export async function startBehindNginx(
  t: TestContext,
  folder: string,
  args: readonly string[],
): Promise<BehindNginx> {
  const ports = await Promise.all(
    [0, 1].map(async () => ({ http: await freePort(), grpc: await freePort() })),
  );
  const services = ports.map((each) => new ServiceProcess(args, each));
  t.after(() => services.forEach((service) => service.kill()));
  await Promise.all(services.map((service) => service.start()));
  const [http, grpc] = [await freePort(), await freePort()];
  const configuration = configureNginx(
    folder,
    new Map([
      ['listen 8080', http],
      ['listen 50051', grpc],
      ['127.0.0.1:18081', ports[0]!.http],
      ['127.0.0.1:18082', ports[1]!.http],
      ['127.0.0.1:15051', ports[0]!.grpc],
      ['127.0.0.1:15052', ports[1]!.grpc],
    ]),
  );
  const nginx = spawn('nginx', ['-c', configuration], { stdio: 'inherit' });
  t.after(() => nginx.kill('SIGTERM'));
  await Promise.all([listens(http, nginx), listens(grpc, nginx)]);
  return { services, ports, http, grpc };
}

/** Resolves when a port takes connections. Rejects if nginx ends. */
async function listens(port: number, nginx: ChildProcess): Promise<void> {
  await until(async () => {
    assert.equal(nginx.exitCode, null, 'nginx does not run; it says why above');
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    return isOpen;
  });
}
