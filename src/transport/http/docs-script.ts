/**
 * The script of /docs, run by the browser. It asks for raw float32 beside the format that the reader chose only to
 * draw the tokens: their first three principal components as red, green and blue.
 */
export const docsScript = String.raw`
'use strict';
const $ = (id) => document.getElementById(id);
const el = (tag, props, ...children) => {
  const node = Object.assign(document.createElement(tag), props);
  node.append(...children.filter((child) => child !== undefined && child !== null));
  return node;
};
const table = (head, rows) => el('table', {}, el('thead', {}, el('tr', {}, ...head.map((text) => el('th', { textContent: text })))),
  el('tbody', {}, ...rows.map((row) => el('tr', {}, ...row.map((cell) => el('td', {}, cell))))));
const code = (text) => el('code', { textContent: text });
const authorized = () => $('key').value ? { headers: { authorization: 'Bearer ' + $('key').value } } : {};
let file;
let preview;

async function start() {
  const [api, asked] = await Promise.all([fetch('/openapi.json').then((r) => r.json()), fetch('/v1/models', authorized())]);
  if (asked.status === 401) $('keyed').hidden = false;
  const models = asked.ok ? await asked.json() : { models: [] };
  fetch('/readyz').then((r) => { $('ready').textContent = r.ok ? 'ready' : 'not ready'; $('ready').classList.add(r.ok ? 'good' : 'bad'); });
  showModels(models.models);
  showFields(api, models.models);
  showOperations(api);
  showProblems(api);
}

function showModels(models) {
  $('models').classList.remove('soft');
  if (models.length === 0) return $('models').replaceChildren('none to be seen');
  $('models').replaceChildren(table(['Name', 'Tokens', 'View', 'Features', 'Precision', 'Weights', 'Digest'], models.map((m) => [
    el('span', {}, code(m.name), m.default ? ' (default)' : ''), m.tokens.toLocaleString('en') + ' \u00d7 ' + m.channels.toLocaleString('en'),
    m.image_size + ' px', code(m.features), m.precision, m.trained ? 'trained' : 'untrained: random', code(m.digest.slice(0, 19) + '\u2026')])));
}

function showFields(api, models) {
  const recipes = ['/v1/encode', '/v1/teacher-encode', '/v1/anyres-encode'];
  const select = (name, values, chosen) => el('select', { name, onchange: showCurl }, ...values.map((value) => el('option', { value, textContent: value, defaultSelected: value === chosen })));
  const add = (name, input) => $('fields').append(el('label', { className: 'field', textContent: name }, input));
  const endpoint = select('endpoint', recipes, recipes[0]);
  const fill = () => {
    $('fields').replaceChildren();
    add('endpoint', endpoint);
    add('model', select('model', ['', ...models.map((m) => m.name)], ''));
    for (const { name, schema } of api.paths[endpoint.value].post.parameters.filter((p) => p.in === 'query')) {
      if (schema.enum && schema.default) add(name, select(name, schema.enum, schema.default));
      else if (!schema.enum && name !== 'model' && name !== 'expect_digest') add(name, el('input', { name, oninput: showCurl, placeholder: schema.default || '' }));
    }
    showCurl();
  };
  endpoint.onchange = fill;
  fill();
}

function path() {
  return document.querySelector('#fields [name=endpoint]').value;
}

function query() {
  const search = new URLSearchParams();
  for (const input of document.querySelectorAll('#fields [name]')) {
    if (input.name === 'endpoint') continue;
    const absent = input.options ? [...input.options].find((option) => option.defaultSelected).value : '';
    if (input.value !== absent) search.set(input.name, input.value);
  }
  return search;
}

function showCurl() {
  const search = query().toString();
  const format = document.querySelector('#fields [name=format]').value;
  const ending = { npy: 'npy', raw: 'bin', safetensors: 'safetensors', json: 'json', jsonl: 'jsonl' }[format];
  const header = $('key').value ? '-H "authorization: Bearer $API_KEY" ' : '';
  $('curl').textContent = 'curl ' + header + "--data-binary @'" + (file ? file.name.replaceAll("'", "'\\''") : 'photo.jpg') + "' '" + location.origin + path() + (search ? '?' + search : '') + "' -o tokens." + ending;
}

function choose(chosen) {
  if (!chosen) return;
  file = chosen;
  if (preview) URL.revokeObjectURL(preview);
  preview = URL.createObjectURL(file);
  const image = el('img', { src: preview, alt: file.name });
  image.onerror = () => image.replaceWith(file.name);
  $('preview').replaceChildren(image);
  $('send').disabled = false;
  showCurl();
}

async function send() {
  $('send').disabled = true;
  try {
    const started = performance.now();
    const response = await fetch(path() + '?' + query(), { method: 'POST', body: file, ...authorized() });
    const body = await response.arrayBuffer();
    const ms = performance.now() - started;
    if (!response.ok) return showProblem(JSON.parse(new TextDecoder().decode(body)));
    const search = query();
    search.set('format', 'raw');
    search.set('dtype', 'float32');
    const drawn = await fetch(path() + '?' + search, { method: 'POST', body: file, ...authorized() });
    if (!drawn.ok) return showProblem(await drawn.json());
    // Lines have no Server-Timing of their own.
    const timing = (response.headers.has('server-timing') ? response : drawn).headers.get('server-timing');
    showAnswer(response, timing, body.byteLength, ms, JSON.parse(drawn.headers.get('tokens-meta')), new Float32Array(await drawn.arrayBuffer()));
  } catch (error) {
    showProblem({ title: 'The request failed', status: '', detail: String(error), code: 'network' });
  } finally {
    $('send').disabled = false;
  }
}

function showProblem(problem) {
  $('answer').replaceChildren(el('h3', { textContent: 'Answer' }), el('div', { className: 'problem' },
    el('p', {}, el('strong', { textContent: problem.status + ' ' + problem.title })), el('p', { textContent: problem.detail }),
    el('p', { className: 'soft' }, code(problem.code), problem.request_id ? ' in request ' : '', problem.request_id ? code(problem.request_id) : null)));
}

function showAnswer(response, timing, bytes, ms, meta, values) {
  const stages = timing.split(', ').map((entry) => entry.split(';dur=')).map(([name, dur]) => [name, Number(dur)]);
  const longest = Math.max(...stages.map(([, dur]) => dur), 0.01);
  const bars = el('div', { className: 'bars' }, ...stages.flatMap(([name, dur]) => [el('span', { textContent: name }),
    el('progress', { max: longest, value: dur, ariaLabel: name }), el('span', { className: 'mono', textContent: dur.toFixed(1) + ' ms' })]));
  const canvas = el('canvas', { width: meta.grid.width, height: meta.grid.height });
  draw(canvas, values, meta.shape.at(-1));
  const shown = { ...meta, dtype: document.querySelector('#fields [name=dtype]').value };
  $('answer').replaceChildren(
    el('h3', { textContent: 'Answer' }),
    el('p', {}, el('strong', { textContent: response.status + ' ' }), meta.shape.join(' \u00d7 ') + ' ' + shown.dtype + ', ' + bytes.toLocaleString('en') + ' bytes of ', code(response.headers.get('content-type')), ' in ' + ms.toFixed(0) + ' ms'),
    meta.model.trained ? null : el('p', { className: 'soft', textContent: 'This model is untrained: its tokens show the interface, not vision.' }),
    el('div', { className: 'pair' },
      el('div', {}, el('h3', { textContent: 'Tokens, three principal components' }), canvas),
      el('div', {}, el('h3', { textContent: 'Time on the server' }), bars)),
    el('h3', { textContent: 'Metadata' }), el('pre', { textContent: JSON.stringify(shown, null, 1).replaceAll(/\[\s+([\d,\s]+?)\s+\]/g, (_, list) => '[' + list.replaceAll(/\s+/g, ' ') + ']') }));
}

function draw(canvas, values, channels) {
  const count = canvas.width * canvas.height;
  const mean = new Float64Array(channels);
  for (let i = 0; i < count; i++) for (let c = 0; c < channels; c++) mean[c] += values[i * channels + c] / count;
  const found = [];
  const scores = [];
  for (let k = 0; k < 3; k++) {
    let axis = Float64Array.from({ length: channels }, (_, c) => Math.sin(c * (k + 1) + 1));
    let score;
    for (let step = 0; step < 12; step++) {
      for (const other of found) { let dot = 0; for (let c = 0; c < channels; c++) dot += axis[c] * other[c]; for (let c = 0; c < channels; c++) axis[c] -= dot * other[c]; }
      const norm = Math.hypot(...axis) || 1;
      axis = axis.map((value) => value / norm);
      score = new Float64Array(count);
      const next = new Float64Array(channels);
      for (let i = 0; i < count; i++) {
        for (let c = 0; c < channels; c++) score[i] += (values[i * channels + c] - mean[c]) * axis[c];
        for (let c = 0; c < channels; c++) next[c] += (values[i * channels + c] - mean[c]) * score[i];
      }
      if (step < 11) axis = next;
    }
    found.push(axis);
    scores.push(score);
  }
  const pixels = new ImageData(canvas.width, canvas.height);
  scores.forEach((score, k) => {
    const sorted = [...score].sort((a, b) => a - b);
    const low = sorted[Math.floor(count * 0.02)];
    const range = sorted[Math.ceil(count * 0.98) - 1] - low || 1;
    for (let i = 0; i < count; i++) pixels.data[i * 4 + k] = 255 * (score[i] - low) / range;
  });
  for (let i = 0; i < count; i++) pixels.data[i * 4 + 3] = 255;
  canvas.getContext('2d').putImageData(pixels, 0, 0);
}

function showOperations(api) {
  $('operations').replaceChildren();
  const resolve = (value) => value.$ref ? value.$ref.slice(2).split('/').reduce((at, key) => at[key], api) : value;
  for (const [path, methods] of Object.entries(api.paths)) for (const [method, op] of Object.entries(methods)) {
    const rows = Object.entries(op.responses).map(([status, answer]) => [code(status), resolve(answer).description, el('span', {}, ...Object.keys(resolve(answer).content ?? {}).flatMap((type, i) => [i ? ', ' : '', code(type)]))]);
    $('operations').append(el('details', { open: path === '/v1/encode' },
      el('summary', {}, el('span', { className: 'verb', textContent: method.toUpperCase() }), el('span', { className: 'mono', textContent: path }), el('span', { className: 'soft', textContent: op.summary })),
      el('div', {}, op.description ? el('p', { textContent: op.description }) : null,
        op.requestBody ? el('h3', { textContent: 'Body' }) : null,
        op.requestBody ? el('p', {}, ...Object.keys(op.requestBody.content).flatMap((type, i) => [i ? ', ' : '', code(type)])) : null,
        op.parameters ? el('h3', { textContent: 'Parameters' }) : null,
        op.parameters ? el('div', { className: 'scroll' }, table(['Name', 'In', 'Values', 'Meaning'], op.parameters.map((p) => [code(p.name), p.in, p.schema.enum ? el('span', {}, ...p.schema.enum.flatMap((value, i) => [i ? ', ' : '', code(value), value === p.schema.default ? ' (default)' : ''])) : p.schema.type, p.description]))) : null,
        el('h3', { textContent: 'Answers' }), el('div', { className: 'scroll' }, table(['Status', 'When', 'Type'], rows)))));
  }
}

function showProblems(api) {
  const statuses = new Map();
  for (const methods of Object.values(api.paths)) for (const op of Object.values(methods)) for (const [status, answer] of Object.entries(op.responses)) if (answer.$ref) statuses.set(answer.$ref.split('/').at(-1), status);
  $('problems').replaceChildren(table(['Code', 'Status', 'Meaning'], Object.entries(api.components.responses).filter(([name]) => statuses.has(name)).map(([name, { description }]) => [code(name), statuses.get(name), description])));
}

$('file').onchange = (event) => choose(event.target.files[0]);
$('send').onclick = send;
for (const type of ['dragover', 'dragleave', 'drop']) $('drop').addEventListener(type, (event) => {
  event.preventDefault();
  $('drop').classList.toggle('over', type === 'dragover');
  if (type === 'drop') choose(event.dataTransfer.files[0]);
});
const begin = () => start().catch((error) => { $('ready').textContent = String(error); $('ready').classList.add('bad'); });
$('key').onchange = begin;
begin();
`;
