// A service in a process of its own, and what the pictures ask of it.
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createInterface } from 'node:readline';
import { fileURLToPath } from 'node:url';

const command = fileURLToPath(new URL('../../bin/siglip-hd.cjs', import.meta.url));

/** Starts `siglip-hd serve` with these arguments on a free port; resolves when it is ready. */
export async function startService(args) {
  const listening = ['--host', '127.0.0.1', '--http-port', '0', '--grpc-port', '0', '--log-format', 'json'];
  const child = spawn(process.execPath, [command, 'serve', ...listening, '--cache-bytes', '0', ...args], {
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const ready = new Promise((resolve, reject) => {
    createInterface(child.stdout).on('line', (line) => {
      const { msg, http } = JSON.parse(line);
      if (msg === 'ready') resolve(http);
    });
    child.once('exit', (code) => reject(new Error(`the service ended with ${code}`)));
  });
  const url = await ready;
  const stop = async () => {
    child.kill('SIGINT');
    await once(child, 'exit');
  };
  return { url, stop };
}

/** The served models, the default first. */
export async function modelsOf(url) {
  const { models } = await (await fetch(`${url}/v1/models`)).json();
  return models;
}

/** Headers of a request that shares no work with others for the same image. */
export const fresh = { 'cache-control': 'no-store' };

/** Encodes an image: its tokens as a TokenSet, its metadata, and its stages in milliseconds. */
export async function encode(url, path, image, query = {}, headers = {}) {
  const search = new URLSearchParams({ ...query, format: 'raw', dtype: 'float32' });
  const startMs = performance.now();
  const answer = await fetch(`${url}/v1/${path}?${search.toString()}`, {
    method: 'POST',
    body: image,
    headers,
  });
  if (!answer.ok) throw new Error(await answer.text());
  const data = new Float32Array(await answer.arrayBuffer());
  const endMs = performance.now();
  const metadata = JSON.parse(answer.headers.get('tokens-meta'));
  const timing = answer.headers.get('server-timing').matchAll(/(\w+);dur=([\d.]+)/g);
  const stages = Object.fromEntries([...timing].map(([, name, ms]) => [name, Number(ms)]));
  const channels = metadata.shape.at(-1);
  return { tokens: { data, count: data.length / channels, channels }, metadata, stages, startMs, endMs };
}

/** The sum of a metric's series whose labels contain a text. */
export async function metricsOf(url) {
  const text = await (await fetch(`${url}/metrics`)).text();
  return (name, label = '') =>
    text
      .split('\n')
      .filter(
        (line) => line.startsWith(name) && /^[{ ]/.test(line.slice(name.length)) && line.includes(label),
      )
      .reduce((sum, line) => sum + Number(line.slice(line.lastIndexOf(' ') + 1)), 0);
}
