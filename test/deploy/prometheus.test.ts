// A real Prometheus that scrapes the service and evaluates the chart's alerts.
import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { copyFileSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { after, type TestContext } from 'node:test';
import { pino } from 'pino';
import { freePort } from '../../bench/processes/free-port.ts';
import { parseEndpoint } from '../../src/inference/remote/endpoint.ts';
import { readModelFolder } from '../../src/model/load-folder.ts';
import { encoderSignature } from '../../src/model/signature.ts';
import { startService } from '../../src/service.ts';
import { alertRules, alertValues } from '../support/alert-rules.ts';
import { externalTest, runProgram } from '../support/external.ts';
import { missingHelm } from '../support/helm.ts';
import { InferenceServer } from '../support/inference-server.ts';
import { serviceConfig } from '../support/service-config.ts';
import { importFixture, scratchFolder } from '../support/tiny-models.ts';
import { until } from '../support/until.ts';

const scratch = scratchFolder();
after(() => scratch.remove());

const missing = async () => {
  const { exitCode } = await runProgram('prometheus', ['--version']);
  return exitCode === 0 ? await missingHelm() : 'prometheus is not installed';
};

interface Answer<Data> {
  readonly data: Data;
}
interface Alert {
  readonly state: string;
  readonly labels: Readonly<Record<string, string>>;
}

/** Asks Prometheus; undefined while it does not answer. */
async function ask<Data>(url: string, path: string): Promise<Data | undefined> {
  const response = await fetch(`${url}/api/v1/${path}`).catch(() => undefined);
  return response?.ok === true ? ((await response.json()) as Answer<Data>).data : undefined;
}

/** Starts Prometheus, which scrapes this port twice a second, with the chart's alerts. Gives its address. */
async function startPrometheus(t: TestContext, scraped: number): Promise<string> {
  // The event loop of a test that shares its cores may well be late.
  const rules = await alertRules(...alertValues, '--set', 'prometheusRule.eventLoopSeconds=10');
  const groups = [{ name: 'siglip-hd', rules }];
  const shorten = (key: string, value: unknown) => (key === 'for' ? '1s' : value);
  // Prometheus reads YAML, of which JSON is a part.
  writeFileSync(join(scratch.path, 'rules.json'), JSON.stringify({ groups }, shorten));
  const job = {
    job_name: 'tokens',
    static_configs: [{ targets: [`127.0.0.1:${scraped}`], labels: { namespace: 'vision', pod: 'a' } }],
  };
  const config = {
    global: { scrape_interval: '500ms', scrape_timeout: '500ms', evaluation_interval: '500ms' },
    rule_files: ['rules.json'],
    scrape_configs: [job],
  };
  const configFile = join(scratch.path, 'prometheus.json');
  writeFileSync(configFile, JSON.stringify(config));
  const port = await freePort();
  const prometheus = spawn(
    'prometheus',
    [
      `--config.file=${configFile}`,
      `--storage.tsdb.path=${join(scratch.path, 'series')}`,
      `--web.listen-address=127.0.0.1:${port}`,
      '--log.level=error',
    ],
    { stdio: 'inherit' },
  );
  t.after(async () => {
    const ended = once(prometheus, 'exit');
    prometheus.kill('SIGKILL');
    await ended;
  });
  return `http://127.0.0.1:${port}`;
}

/** Resolves when exactly these alerts fire. */
async function firing(url: string, names: readonly string[]): Promise<readonly Alert[]> {
  let fired: readonly Alert[] | undefined;
  await until(async () => {
    const all = (await ask<{ alerts: Alert[] }>(url, 'alerts'))?.alerts;
    fired = all?.filter(({ state }) => state === 'firing');
    const found = fired?.map(({ labels }) => labels['alertname']!).toSorted();
    return found?.join() === names.join();
  }).catch((error: unknown) => {
    throw new Error(`not ${names.join()}, but ${JSON.stringify(fired)}`, { cause: error });
  });
  return fired!;
}

externalTest(
  'a Prometheus that scrapes the service fires an alert for a dead engine, none when it works, and two when the service stops',
  missing,
  async (t) => {
    const imported = await importFixture(scratch.path, 'siglip-tiny');
    const folder = join(scratch.path, 'tiny');
    mkdirSync(folder);
    copyFileSync(join(imported, 'model.json'), join(folder, 'model.json'));
    const signature = encoderSignature(await readModelFolder(folder));
    const startEngine = async (port?: number) => {
      const server = await InferenceServer.start({ signature, model: 'tiny', port });
      t.after(() => server.kill());
      return server;
    };
    const ports = [(await startEngine()).port, await freePort()] as const;
    const engines = ports.map((port) => ({
      model: 'tiny',
      endpoint: parseEndpoint(`grpc://127.0.0.1:${port}`)!,
    }));
    const remote = { engines, access: {}, parallel: 1 };
    const config = serviceConfig({ models: [{ name: 'tiny', folder }], remote });
    const service = await startService(config, pino({ level: 'silent' }), () => {});
    let isOpen = true;
    const stop = async () => {
      if (isOpen) await service.close();
      isOpen = false;
    };
    t.after(stop);
    const url = await startPrometheus(t, service.httpPort);

    const [dead] = await firing(url, ['SiglipHdEngineDown']);
    assert.deepEqual(dead!.labels, {
      alertname: 'SiglipHdEngineDown',
      severity: 'warning',
      namespace: 'vision',
      job: 'tokens',
      pod: 'a',
      instance: `127.0.0.1:${service.httpPort}`,
      model: 'tiny',
      engine: `grpc://127.0.0.1:${ports[1]}`,
    });
    const { groups } = (await ask<{ groups: { rules: { health: string; lastError?: string }[] }[] }>(
      url,
      'rules',
    ))!;
    for (const { health, lastError } of groups.flatMap(({ rules }) => rules))
      assert.equal(health, 'ok', lastError);

    await startEngine(ports[1]);
    await firing(url, []);
    await stop();
    await firing(url, ['SiglipHdDown', 'SiglipHdPodNotReady']);
  },
);
