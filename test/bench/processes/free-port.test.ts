import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer } from 'node:net';
import { createInterface } from 'node:readline';
import { test, type TestContext } from 'node:test';
import { fileURLToPath } from 'node:url';
import { freePort } from '../../../bench/processes/free-port.ts';

const script = fileURLToPath(new URL('./take-ports.js', import.meta.url));

/** The ports that a process takes, which keeps them until the test ends. */
async function takePorts(t: TestContext, count: number): Promise<readonly number[]> {
  const child = spawn(process.execPath, [script, String(count)], { stdio: ['pipe', 'pipe', 'inherit'] });
  t.after(() => child.kill());
  const [line] = (await once(createInterface(child.stdout), 'line')) as [string];
  return line.split(' ').map(Number);
}

test('gives no port twice, in however many processes, and none of the default ephemeral ports', async (t) => {
  // Drawn at random from 10,000, some 8 of them would be drawn twice.
  const ports = (await Promise.all([takePorts(t, 200), takePorts(t, 200)])).flat();
  assert.equal(new Set(ports).size, 400);
  assert.ok(ports.every((port) => port < 30_000));
});

test('gives a port on which a server can listen, and listen again', async () => {
  const port = await freePort();
  for (let start = 0; start < 2; start++) {
    const server = createServer().listen(port, '0.0.0.0');
    await once(server, 'listening');
    await once(server.close(), 'close');
  }
});
