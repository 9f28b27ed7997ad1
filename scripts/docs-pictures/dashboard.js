// A panel as a Grafana dashboard would show it: a service whose callers become more and then fewer, from its own /metrics.
import { setTimeout as wait } from 'node:timers/promises';
import { encode, fresh, metricsOf } from './service.js';
import { line, rect, text, writePicture } from './svg.js';

const phases = [1, 2, 4, 8, 16, 8, 4, 2, 1];
const phaseMs = 1500;
const sampleMs = 300;
const smoothed = 4;
const panel = { width: 350, height: 170 };

/** dashboard.png */
export async function drawDashboard({ url, photo, student }) {
  const samples = await record(url, photo, student);
  const rates = samples.slice(smoothed).map((now, index) => {
    const before = samples[index];
    const per = (name) => now[name] - before[name];
    return {
      atMs: now.atMs,
      callers: now.callers,
      rate: (per('views') * 1000) / (now.atMs - before.atMs),
      batch: per('batches') === 0 ? 0 : per('views') / per('batches'),
      latency: per('requests') === 0 ? 0 : (per('seconds') * 1000) / per('requests'),
    };
  });
  const plots = [
    ['views a second', '#73bf69', rates.map(({ rate }) => rate)],
    ['views in a batch', '#f2cc0c', rates.map(({ batch }) => batch)],
    ['milliseconds a request, mean', '#5794f2', rates.map(({ latency }) => latency)],
  ];
  const content = plots.flatMap(([title, stroke, values], index) =>
    plot(10 + index * (panel.width + 10), title, stroke, values, rates),
  );
  const width = 3 * panel.width + 40;
  await writePicture('dashboard', { width, height: panel.height + 20 }, content, '#111217');
}

function plot(x, title, stroke, values, rates) {
  const most = Math.max(...values) * 1.1;
  const inner = { x: x + 46, y: 44, width: panel.width - 60, height: panel.height - 66 };
  const place = (value, index) => [
    inner.x + (index / (values.length - 1)) * inner.width,
    inner.y + inner.height - (value / most) * inner.height,
  ];
  const marks = [0, 0.5, 1].flatMap((share) => {
    const y = inner.y + inner.height * (1 - share);
    const value = most * share;
    return [
      line(
        [
          [inner.x, y],
          [inner.x + inner.width, y],
        ],
        { stroke: '#2c3235', thick: 1 },
      ),
      text(inner.x - 6, y + 4, value < 10 ? value.toFixed(1) : value.toFixed(0), {
        size: 11,
        fill: '#9fa7b3',
        anchor: 'end',
      }),
    ];
  });
  const changes = rates.flatMap(({ callers }, index) =>
    index > 0 && callers !== rates[index - 1].callers
      ? [
          text(place(0, index)[0], inner.y + inner.height + 16, callers, {
            size: 11,
            fill: '#9fa7b3',
            anchor: 'middle',
          }),
        ]
      : [],
  );
  return [
    rect({ x, y: 10, ...panel }, { fill: '#181b1f', stroke: '#2c3235', round: 3 }),
    text(x + 12, 30, title, { size: 13, fill: '#d8d9da' }),
    text(x + 8, inner.y + inner.height + 16, 'callers', { size: 11, fill: '#9fa7b3' }),
    ...marks,
    ...changes,
    line(values.map(place), { stroke, thick: 2 }),
  ];
}

/** Runs the phases, and reads /metrics meanwhile. */
async function record(url, photo, model) {
  const samples = [];
  let callers = 0;
  const over = new AbortController();
  const caller = async (number) => {
    while (!over.signal.aborted) {
      if (number < callers) await encode(url, 'encode', photo, { model }, fresh);
      else await wait(20);
    }
  };
  const working = Array.from({ length: Math.max(...phases) }, (_, number) => caller(number));
  for (const phase of phases) {
    callers = phase;
    for (let passedMs = 0; passedMs < phaseMs; passedMs += sampleMs) {
      await wait(sampleMs);
      const metric = await metricsOf(url);
      const of = `model="${model}"`;
      samples.push({
        atMs: performance.now(),
        callers,
        views: metric('siglip_hd_batch_views_sum', of),
        batches: metric('siglip_hd_batch_views_count', of),
        requests: metric('siglip_hd_request_duration_seconds_count', 'endpoint="encode"'),
        seconds: metric('siglip_hd_request_duration_seconds_sum', 'endpoint="encode"'),
      });
    }
  }
  over.abort();
  await Promise.all(working);
  return samples;
}
