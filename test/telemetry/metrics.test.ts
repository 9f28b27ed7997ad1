import assert from 'node:assert/strict';
import { test } from 'node:test';
import { Metrics } from '../../src/telemetry/metrics.ts';

test('counts every request, however many come between two scrapes', async () => {
  const metrics = new Metrics('1.2.3');
  for (let request = 0; request < 1000; request++) {
    metrics.observeRequest({ transport: 'grpc', endpoint: 'encode', code: 'ok', durationMs: 1 });
  }
  const { text } = await metrics.expose();
  assert.match(text, /requests_total\{transport="grpc",endpoint="encode",code="ok"\} 1000\n/);
});

test('exposes what it observed, in seconds and under the prefix', async () => {
  const metrics = new Metrics('1.2.3');
  metrics.observeRequest({ transport: 'grpc', endpoint: 'encode', code: 'ok', durationMs: 250 });
  metrics.observeRequest({ transport: 'grpc', endpoint: 'encode', code: 'overloaded', durationMs: 1 });
  metrics.observeStages({ decodeMs: 1, viewsMs: 2, queueMs: 3, engineMs: 4000, assembleMs: 5 }, 'hd');
  metrics.observeWrite(0.1, 'hd');
  metrics.observeBatch({ views: 8, engineMs: 500, model: 'hd', engine: 'cpu#1' });
  metrics.observeBatch({ views: 4, engineMs: 250, model: 'hd', engine: 'cpu#1' });
  metrics.watchQueue(() => ({ admitted: 12, queued: 10 }));
  metrics.watchInflight('grpc', () => 3);
  metrics.observeBatch({ views: 4, engineMs: 0, gapMs: 0.2, model: 'hd', engine: 'cpu#0' });
  metrics.observeRefusal('views');
  metrics.watchHeld('unread', () => 77);
  const times: [number, number][] = [
    [1, 10],
    [8, 50],
  ];
  metrics.watchEngines('hd', () => [
    { name: 'cpu#0', state: 'up', times, largest: 8 },
    { name: 'cpu#1', state: 'late', times: [], largest: 1 },
  ]);
  assert.match((await metrics.expose()).text, /batch_seconds\{model="hd",engine="cpu#0",views="8"\} 0\.05/);
  times.pop();
  const { contentType, text } = await metrics.expose();
  assert.match(contentType, /^text\/plain; version=0\.0\.4/);
  for (const line of [
    'siglip_hd_requests_total{transport="grpc",endpoint="encode",code="ok"} 1',
    'siglip_hd_requests_total{transport="grpc",endpoint="encode",code="overloaded"} 1',
    'siglip_hd_request_duration_seconds_sum{transport="grpc",endpoint="encode"} 0.251',
    'siglip_hd_stage_duration_seconds_sum{stage="engine",model="hd"} 4',
    'siglip_hd_stage_duration_seconds_sum{stage="assemble",model="hd"} 0.005',
    'siglip_hd_stage_duration_seconds_count{stage="write",model="hd"} 1',
    'siglip_hd_batch_views_sum{model="hd"} 16',
    'siglip_hd_batch_views_count{model="hd"} 3',
    'siglip_hd_engine_gap_seconds_sum{model="hd"} 0.0002',
    'siglip_hd_engine_gap_seconds_count{model="hd"} 1',
    'siglip_hd_refusals_total{bound="views"} 1',
    'siglip_hd_held_bytes{what="unread"} 77',
    'siglip_hd_batch_seconds{model="hd",engine="cpu#0",views="1"} 0.01',
    'siglip_hd_batch_limit_views{model="hd",engine="cpu#0"} 8',
    'siglip_hd_engine_up{model="hd",engine="cpu#0"} 1',
    'siglip_hd_engine_up{model="hd",engine="cpu#1"} 0',
    'siglip_hd_engine_restarts_total{model="hd",engine="cpu#1"} 0',
    'siglip_hd_engine_busy_seconds_total{model="hd",engine="cpu#1"} 0.75',
    'siglip_hd_views{state="admitted"} 12',
    'siglip_hd_views{state="queued"} 10',
    'siglip_hd_inflight_requests{transport="grpc"} 3',
  ]) {
    assert.ok(text.split('\n').includes(line), line);
  }
  assert.doesNotMatch(
    text,
    /batch_seconds\{model="hd",engine="cpu#0",views="8"\}/,
    'a size that is forgotten is not exposed',
  );
});

test('exposes the metrics of Node and of the process under the names that dashboards expect', async () => {
  const { text } = await new Metrics().expose();
  for (const name of [
    'nodejs_eventloop_lag_p99_seconds',
    'process_resident_memory_bytes',
    'process_cpu_seconds_total',
  ]) {
    assert.match(text, new RegExp(`^${name}[ {]`, 'm'));
  }
  assert.doesNotMatch(text, /siglip_hd_(nodejs|process)_/);
});

test('says which version runs, and which models it serves', async () => {
  const metrics = new Metrics('1.2.3');
  const lines = async () =>
    (await metrics.expose()).text.split('\n').filter((line) => /^siglip_hd_\w+_info\{/.test(line));
  assert.deepEqual(await lines(), [
    `siglip_hd_build_info{version="1.2.3",node="${process.versions.node}"} 1`,
  ]);
  const hd = { name: 'hd', digest: 'sha256:12', features: 'pre_norm', precision: 'fp16', revision: 'abc' };
  let models = [hd];
  metrics.watchModels(() => models);
  const info =
    'siglip_hd_model_info{model="hd",digest="sha256:12",features="pre_norm",precision="fp16",revision="abc"} 1';
  assert.equal((await lines())[1], info);
  models = [{ ...hd, digest: 'sha256:34' }];
  assert.deepEqual(
    (await lines()).slice(1),
    [info.replace('12', '34')],
    'a model that is no longer served is not exposed',
  );
});

test('keeps two services in one process apart', async () => {
  const [one, other] = [new Metrics(), new Metrics()];
  one.observeBatch({ views: 1, engineMs: 1, model: 'mine', engine: 'cpu' });
  assert.doesNotMatch((await other.expose()).text, /mine/);
});
