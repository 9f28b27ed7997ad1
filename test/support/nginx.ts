import assert from 'node:assert/strict';
import { once } from 'node:events';
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { connect } from 'node:net';
import { join } from 'node:path';
import { runProgram } from './external.ts';
import { until } from './until.ts';

export const missingNginx = async () =>
  (await runProgram('nginx', ['-v'])).exitCode === 0 ? undefined : 'nginx is not installed';

/** The shipped configuration with other ports, in a folder that it makes. Gives the path of the whole. */
export function configureNginx(folder: string, ports: ReadonlyMap<string, number>): string {
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

/** Resolves when a port takes connections. */
export async function listens(port: number): Promise<void> {
  await until(async () => {
    const socket = connect(port, '127.0.0.1');
    const isOpen = await once(socket, 'connect').then(
      () => true,
      () => false,
    );
    socket.destroy();
    return isOpen;
  });
}
