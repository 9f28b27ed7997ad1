import assert from 'node:assert/strict';
import { podOf, refusal } from '../support/chart.ts';
import { externalTest } from '../support/external.ts';
import { missingHelm, missingHelm4, render } from '../support/helm.ts';

externalTest('the schema says which value is wrong, and what it may be', missingHelm4, async () => {
  const wrong: [string, RegExp][] = [
    ['replicas=many', /at '\/replicas': got string, want integer/],
    ['device=tpu', /at '\/device': value must be one of 'cpu', 'cuda'/],
    ['config.max-queue=5', /at '\/config': additional properties 'max-queue' not allowed/],
    ['config.model=a', /at '\/config': additional properties 'model' not allowed/],
    ['config.max-images=0', /at '\/config\/max-images': minimum: got 0, want 1/],
    ['config.cache-bytes=12MB', /at '\/config\/cache-bytes': '12MB' does not match pattern '.*KiB\|MiB\|GiB/],
    ['config.log-level=loud', /at '\/config\/log-level': value must be one of 'fatal', 'error'/],
    ['image.tga=1', /at '\/image': additional properties 'tga' not allowed/],
    ['image.digest=sha256:12', /at '\/image\/digest': 'sha256:12' does not match pattern/],
    ['service.httpPort=70000', /at '\/service\/httpPort': maximum: got 70,000, want 65,535/],
    ['models.from=web', /at '\/models\/from': value must be one of 'embedded', 'pvc', 'image', 'import'/],
    ['models.serve[0].folder=a', /at '\/models\/serve\/0': missing property 'name'/],
    ['autoscaling.kind=vpa', /at '\/autoscaling\/kind': value must be one of 'none', 'hpa', 'keda'/],
    ['apiKeys.secret=Not_A_Name', /at '\/apiKeys\/secret': 'Not_A_Name' does not match pattern/],
  ];
  for (const [value, message] of wrong) assert.match(await refusal('--set', value), message);
});

externalTest('values that contradict each other are refused, in a sentence', missingHelm, async () => {
  const hd = 'models.serve[0].name=hd';
  const wrong: [string, RegExp][] = [
    [hd, /models\.from is embedded; set it to pvc, image or import\./],
    ['models.from=pvc', /models\.from is pvc; models\.serve must name a model\./],
    [`models.from=pvc,${hd}`, /models\.from is pvc; models\.pvc\.claimName must name the claim\./],
    [`models.from=image,${hd}`, /models\.from is image; models\.image\.reference must name the image\./],
    [`models.from=import,${hd}`, /models\.serve's "hd" needs import: \{source: OWNER\/NAME\}\./],
    [`models.from=pvc,${hd},models.serve[1].name=hd`, /models\.serve has two models named "hd"\./],
    [`models.from=pvc,${hd},models.teacher=t`, /models\.teacher is "t"; models\.serve has hd\./],
    [
      `models.from=image,models.image.reference=a,${hd},models.serve[0].import.source=a/b`,
      /"hd" has import, but models\.from is image; only import and pvc import\./,
    ],
    [
      `device=cuda,models.from=import,${hd},models.serve[0].import.source=a/b,models.serve[0].import.precision=int8`,
      /"hd" is int8, which is for CPUs, but device is cuda; use fp16\./,
    ],
    [
      'models.from=import,models.serve[0].name=a,models.serve[0].import.source=o/a,models.serve[0].folder=x,' +
        'models.serve[1].name=x,models.serve[1].import.source=o/b',
      /models\.serve imports two models into the folder "x"\./,
    ],
    ['prometheusRule.enabled=true', /prometheusRule queries Prometheus for this release's metrics/],
    ['autoscaling.kind=keda', /autoscaling\.kind=keda queries Prometheus .*, or serviceMonitor\.job/],
    ['config.metrics-port=8080', /config\.metrics-port is 8080; in the pods HTTP has 8080 and gRPC 50051/],
    ['config.metrics-port=0', /config\.metrics-port is 0; .* give it one of its own, such as 9464\./],
    [
      'podLabels.app\\.kubernetes\\.io/component=other',
      /podLabels has app\.kubernetes\.io\/component, which the chart sets itself/,
    ],
    ['commonLabels.app\\.kubernetes\\.io/name=other', /commonLabels has app\.kubernetes\.io\/name/],
    [
      'tracing.endpoint=http://a:1,extraEnv[0].name=OTEL_RESOURCE_ATTRIBUTES,extraEnv[0].value=a',
      /extraEnv has OTEL_RESOURCE_ATTRIBUTES, which tracing sets: give it one value, there\./,
    ],
    ['tls.clientCaSecret=ca', /tls\.clientCaSecret needs tls\.secret\./],
    ['autoscaling.kind=hpa,autoscaling.min=9', /autoscaling\.min is 9, above autoscaling\.max, which is 8\./],
    [
      'gateway.backendTls.hostname=a',
      /gateway\.backendTls is for pods that speak TLS; it needs tls\.secret\./,
    ],
    ['gateway.grpc.enabled=true', /gateway\.grpc\.enabled needs gateway\.grpc\.parentRefs/],
  ];
  for (const [value, message] of wrong) assert.match(await refusal('--set', value), message);
});

externalTest('a variable that a container would have twice is refused', missingHelm, async () => {
  const extra = (name: string, ...sets: string[]) =>
    [`extraEnv[0].name=${name},extraEnv[0].value=1`, ...sets].join(',');
  const wrong: [string, RegExp][] = [
    [extra('SIGLIPHD_MAX_IMAGES', 'config.max-images=4'), /which config\.max-images sets/],
    [extra('SIGLIPHD_REDIS_URL', 'redis.secret=r'), /which redis\.secret sets/],
    [extra('SIGLIPHD_METRICS_PORT', 'tls.secret=t,tls.clientCaSecret=c'), /which config\.metrics-port sets/],
    [extra('SIGLIPHD_HTTP_PORT'), /which the chart \(8080\) sets/],
    [extra('SIGLIPHD_DEVICE'), /which device sets/],
    [extra('SIGLIPHD_TLS_CERT'), /which tls sets/],
    [extra('SIGLIPHD_API_KEYS', 'apiKeys.secret=k'), /which apiKeys\.secret sets/],
    // Its value decides how long Kubernetes waits, so it must be where the chart reads it.
    [extra('SIGLIPHD_DRAIN_GRACE_MS'), /which config\.drain-grace-ms sets/],
    [extra('FOO', 'extraEnv[1].name=FOO,extraEnv[1].value=2'), /extraEnv has FOO twice\./],
    ['models.import.extraEnv[0].name=HF_HOME', /models\.import\.extraEnv has HF_HOME, which the chart sets/],
    [
      'models.import.tokenSecret=t,models.import.extraEnv[0].name=HF_TOKEN',
      /has HF_TOKEN, which models\.import\.tokenSecret sets/,
    ],
  ];
  for (const [value, message] of wrong) assert.match(await refusal('--set', value), message);
  const free = extra('SIGLIPHD_MAX_IMAGES', 'extraEnv[1].name=SIGLIPHD_API_KEYS,extraEnv[1].value=k');
  const [container] = podOf(await render('--set', free)).containers;
  const names = container!.env!.map(({ name }) => name);
  assert.deepEqual(names, ['SIGLIPHD_MAX_IMAGES', 'SIGLIPHD_API_KEYS']);
});

externalTest('a pod uses each of its GPUs', missingHelm, async () => {
  const [container] = podOf(await render('--set', 'device=cuda,gpu.count=3')).containers;
  const { args } = container!;
  assert.equal(args[args.indexOf('--device') + 1], 'cuda:0,cuda:1,cuda:2');
});
