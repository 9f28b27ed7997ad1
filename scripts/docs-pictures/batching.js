// Batching under load: when the views of eight callers waited and when they ran, from the stages that each answer reports.
import { setTimeout as wait } from 'node:timers/promises';
import { encode, fresh } from './service.js';
import { line, quiet, rect, text, writePicture } from './svg.js';

const callers = 8;
const left = 90;
const width = 1100;
const rowHeight = 26;
const shades = ['#2a6fbb', '#d9822b', '#3c9a5f', '#8e5bb5'];

/** batching.png */
export async function drawBatching({ url, photo, student }) {
  const batches = batchesOf(await load(url, photo, student)).slice(2, 9);
  const startMs = batches[0].runMs;
  const shownMs = batches.at(-1).endMs - startMs;
  const x = (ms) => left + (Math.min(Math.max(ms - startMs, 0), shownMs) / shownMs) * (width - left - 10);
  const bars = batches.flatMap(({ runMs, endMs, requests }, index) =>
    requests.flatMap(({ caller, arriveMs, queueMs }) => {
      const y = 44 + caller * rowHeight;
      const span = (from, to, fill) =>
        rect({ x: x(from), y, width: Math.max(0, x(to) - x(from)), height: rowHeight - 8 }, { fill });
      const run = span(runMs, endMs, shades[index % shades.length]);
      return [span(arriveMs, queueMs, '#c9d3de'), span(queueMs, runMs, '#eceff2'), run];
    }),
  );
  const height = 44 + callers * rowHeight + 40;
  const stepMs = [20, 50, 100, 200, 500, 1000].find((step) => shownMs / step <= 6) ?? 2000;
  const ticks = Array.from(
    { length: Math.floor(shownMs / stepMs) + 1 },
    (_, index) => index * stepMs,
  ).flatMap((ms) => [
    line(
      [
        [x(startMs + ms), 40],
        [x(startMs + ms), height - 34],
      ],
      { stroke: '#dfe3e7', thick: 1 },
    ),
    text(x(startMs + ms), height - 16, `${ms} ms`, { size: 12, fill: quiet, anchor: 'middle' }),
  ]);
  const key = [
    ['#c9d3de', 'decode and resize'],
    ['#eceff2', 'wait for the engine'],
    [shades[0], 'run: one colour is one batch'],
  ].flatMap(([fill, label], index) => [
    rect({ x: left + index * 210, y: 8, width: 14, height: 14 }, { fill, stroke: quiet, thick: 0.5 }),
    text(left + 20 + index * 210, 20, label, { size: 13 }),
  ]);
  const names = Array.from({ length: callers }, (_, caller) =>
    text(0, 58 + caller * rowHeight, `caller ${caller + 1}`, { size: 13, fill: quiet }),
  );
  await writePicture('batching', { width, height }, [...ticks, ...key, ...names, ...bars]);
}

/** Requests whose engine time is the same to a hundredth of a millisecond ran in one batch. In the order in which they ran. */
function batchesOf(requests) {
  const groups = new Map(
    requests.map(({ engineMs }) => [engineMs, requests.filter((one) => one.engineMs === engineMs)]),
  );
  const mean = (members, name) => members.reduce((sum, one) => sum + one[name], 0) / members.length;
  return [...groups.values()]
    .map((members) => ({ requests: members, runMs: mean(members, 'runMs'), endMs: mean(members, 'endMs') }))
    .toSorted((a, b) => a.runMs - b.runMs);
}

/** Each caller sends its next request soon after the answer to its last. Times are of this process's clock. */
async function load(url, photo, model) {
  const requests = [];
  await Promise.all(
    Array.from({ length: callers }, async (_, caller) => {
      for (let count = 0; count < 6; count++) {
        const { stages, startMs, endMs } = await encode(url, 'encode', photo, { model }, fresh);
        // What the stages do not count is sending; half of it is before them.
        const { decode, views, queue, engine, assemble, write } = stages;
        const arriveMs = startMs + (endMs - startMs - decode - views - queue - engine - assemble - write) / 2;
        const queueMs = arriveMs + decode + views;
        const runMs = queueMs + queue;
        requests.push({ caller, arriveMs, queueMs, runMs, endMs: runMs + engine, engineMs: engine });
        await wait(15 * caller);
      }
    }),
  );
  return requests;
}
