import { randomInt } from 'node:crypto';
import { createSocket } from 'node:dgram';
import { once } from 'node:events';
import { createServer } from 'node:net';

/** Below Kubernetes' NodePorts, from 30000, and Linux's default ephemeral ports, from 32768. */
const [lowestPort, highestPort] = [20_000, 29_999];

/**
 * A port of 127.0.0.1 for a server that starts later, in any process. This process has it until it ends: no other call in any
 * process returns it, and no connection and no server on port 0 gets it while the system's ephemeral
 * ports are the default ones.
 */
export async function freePort(): Promise<number> {
  for (;;) {
    const port = randomInt(lowestPort, highestPort + 1);
    // The UDP port of the same number stays bound, and so marks the port as taken.
    const claim = createSocket('udp4').unref().bind({ port, address: '127.0.0.1', exclusive: true });
    if ((await isBound(claim)) && (await isUnused(port))) return port;
    claim.close();
  }
}

async function isUnused(port: number): Promise<boolean> {
  const server = createServer().listen(port, '127.0.0.1');
  if (!(await isBound(server))) return false;
  await once(server.close(), 'close');
  return true;
}

/** Resolves with false if another socket has the port. */
async function isBound(socket: NodeJS.EventEmitter): Promise<boolean> {
  try {
    await once(socket, 'listening');
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EADDRINUSE') return false;
    throw error;
  }
}
