// Asks a service at addresses from inside its network. Arguments: http://HOST:PORT for HTTP, HOST:PORT for gRPC.
// Exits with 0 when all of them have answered, with 1 if one has not after two minutes.
import { setTimeout as wait } from 'node:timers/promises';
import { Client, credentials } from '@grpc/grpc-js';

const untilMs = Date.now() + 120_000;

async function ask(address: string): Promise<void> {
  if (!address.startsWith('http')) {
    const client = new Client(address, credentials.createInsecure());
    await new Promise<void>((resolve, reject) => {
      client.waitForReady(untilMs, (error) => (error === undefined ? resolve() : reject(error)));
    });
    client.close();
    return;
  }
  const isReady = async (): Promise<boolean> =>
    await fetch(`${address}/readyz`).then(
      ({ ok }) => ok,
      () => false,
    );
  while (!(await isReady())) {
    if (Date.now() > untilMs) throw new Error(`${address} does not answer`);
    await wait(50);
  }
}

for (const address of process.argv.slice(2)) await ask(address);
