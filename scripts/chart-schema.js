// The JSON schema against which Helm validates the chart's values. `npm run docs` writes it to
// deploy/helm/siglip-hd/values.schema.json, with the settings of serve under config.

/** Settings of serve for which the chart has values of its own. */
export const chartSettings = [
  'model',
  'remote-engine',
  'remote-engine-batches',
  'teacher',
  'device',
  'http-port',
  'grpc-port',
  'api-keys',
  'api-keys-file',
  'tls-cert',
  'tls-key',
  'tls-client-ca',
  'redis-url',
];

/** Settings of import that a model of `models.serve` may have. */
export const importSettings = [
  'revision',
  'precision',
  'min-cosine',
  'features',
  'class-token',
  'pooled',
  'image-size',
  'resize',
];

const modelName = '^[A-Za-z0-9._-]{1,64}$';
const secretName = '^([a-z0-9]([a-z0-9.-]{0,251}[a-z0-9])?)?$';
const quantity = '^[0-9]+(\\.[0-9]+)?([EPTGMk]i?|Ki)?$';

const text = (pattern) => (pattern === undefined ? { type: 'string' } : { type: 'string', pattern });
const choice = (...values) => ({ enum: values });
const flag = { type: 'boolean' };
const integer = (minimum, maximum) => ({ type: 'integer', minimum, ...(maximum && { maximum }) });
const number = (exclusiveMinimum) => ({ type: 'number', exclusiveMinimum });
const list = (items, least = 0) => ({ type: 'array', items, ...(least > 0 && { minItems: least }) });
const texts = list({ type: 'string', minLength: 1 }, 1);
/** An object that the Kubernetes API validates. */
const any = { type: 'object' };
const anys = list(any);
const labels = { type: 'object', additionalProperties: { type: 'string' } };
const closed = (properties, required) => ({
  type: 'object',
  properties,
  additionalProperties: false,
  ...(required && { required }),
});
const secret = text(secretName);
const secretKey = text('^[A-Za-z0-9._-]+$');
const port = integer(1, 65_535);
const path = text('^/');
const pullPolicy = choice('IfNotPresent', 'Always', 'Never');
const probe = closed({
  initialDelaySeconds: integer(0),
  periodSeconds: integer(1),
  timeoutSeconds: integer(1),
  successThreshold: integer(1),
  failureThreshold: integer(1),
});
const ingress = closed({
  enabled: flag,
  className: text(),
  annotations: labels,
  hosts: texts,
  paths: list(path, 1),
  tlsSecret: secret,
});

/** The schema of a setting of the service: bytes also as text, such as 256MiB, and numbers as numbers. */
function settingSchema({ type, placeholder, min, max, choices, description }) {
  switch (type) {
    case 'integer':
    case 'milliseconds':
      return { description, ...integer(min, max) };
    case 'bytes':
      return {
        description,
        type: ['integer', 'string'],
        minimum: min,
        // The service reads at most twelve digits.
        maximum: Math.min(max, 999_999_999_999),
        pattern: '^[0-9]{1,12}(KiB|MiB|GiB)?$',
      };
    case 'choice':
      return { description, enum: choices };
    case 'boolean':
      return { description, type: 'boolean' };
    default:
      if (placeholder === 'PORT') return { description, ...integer(0, 65_535) };
      return { description, type: 'string', minLength: 1 };
  }
}

function settingSchemas(settings, wanted) {
  const entries = Object.entries(settings).filter(([name]) => wanted(name));
  return Object.fromEntries(entries.map(([name, setting]) => [name, settingSchema(setting)]));
}

/** Resources, placement, probes and stop. */
const placement = {
  resources: any,
  gpu: closed({ resource: text('^[a-z0-9.-]+/[A-Za-z0-9._-]+$'), count: integer(1) }),
  runtimeClassName: text(),
  nodeSelector: labels,
  tolerations: anys,
  affinity: any,
  topologySpreadConstraints: anys,
  priorityClassName: text(),
  strategy: closed({ type: choice('RollingUpdate', 'Recreate'), rollingUpdate: any }),
  revisionHistoryLimit: integer(0),
  progressDeadlineSeconds: integer(1),
  podDisruptionBudget: closed({
    enabled: flag,
    maxUnavailable: { type: ['integer', 'string'], minimum: 0, pattern: '^[0-9]{1,3}%$' },
  }),
  probes: closed({ startup: probe, readiness: probe, liveness: probe }),
  terminationGracePeriodSeconds: integer(0),
};

/** Service, routes from outside and the network policy. */
const network = {
  service: closed({
    type: choice('ClusterIP', 'NodePort', 'LoadBalancer'),
    annotations: labels,
    httpPort: port,
    grpcPort: port,
    metricsPort: port,
    trafficDistribution: choice('', 'PreferSameZone', 'PreferSameNode', 'PreferClose'),
    headless: flag,
    extraSpec: any,
  }),
  ingress: closed({ http: ingress, grpc: ingress }),
  gateway: closed({
    http: closed({
      enabled: flag,
      parentRefs: anys,
      hostnames: list(text()),
      paths: list(path, 1),
      requestTimeout: text('^[0-9]+(ms|s|m|h)$'),
    }),
    grpc: closed({ enabled: flag, parentRefs: anys, hostnames: list(text()) }),
    backendTls: closed({ hostname: text(), caConfigMap: secret }),
  }),
  networkPolicy: closed({ enabled: flag, from: anys, egress: anys }),
};

/** API keys, TLS and Redis. */
const access = {
  apiKeys: closed({ secret, key: secretKey }),
  tls: closed({ secret, clientCaSecret: secret, clientCaKey: secretKey }),
  redis: closed({ secret, key: secretKey, port, to: anys }),
};

/** Autoscaling. */
const scaling = {
  autoscaling: closed({
    kind: choice('none', 'hpa', 'keda'),
    min: integer(1),
    max: integer(1),
    queuedViews: integer(1),
    behavior: any,
    hpa: closed({ extraMetrics: anys }),
    keda: closed({
      prometheus: text('^https?://'),
      pollingInterval: integer(1),
      authentication: secret,
      extraTriggers: anys,
    }),
  }),
};

/** Where the models run. */
const engine = closed({
  mode: choice('local', 'remote'),
  image: text('^[a-zA-Z0-9][a-zA-Z0-9._:@/-]*$'),
  replicas: integer(0),
  gpu: flag,
  maxBatch: integer(1, 256),
  tensorrt: flag,
  repositorySize: text(quantity),
  resources: any,
  runtimeClassName: text(),
  nodeSelector: labels,
  tolerations: anys,
  affinity: any,
  autoscaling: closed({
    kind: choice('none', 'keda'),
    min: integer(1),
    max: integer(1),
    queuedViews: integer(1),
  }),
});

/** Metrics, alerts, traces and dashboards. */
const monitoring = {
  serviceMonitor: closed({
    enabled: flag,
    labels,
    interval: text('^[0-9]+(ms|s|m|h)$'),
    job: text(),
    tlsConfig: any,
  }),
  prometheusRule: closed({
    enabled: flag,
    labels,
    alertLabels: labels,
    runbookUrl: text('^(https?://.*)?$'),
    queueSeconds: number(0),
    errorShare: number(0),
    refusalShare: number(0),
    restarts: integer(0),
    engineRestarts: integer(0),
    eventLoopSeconds: number(0),
  }),
  tracing: closed({
    endpoint: text('^(https?://.+)?$'),
    protocol: choice('http/protobuf', 'grpc'),
    share: { type: 'number', minimum: 0, maximum: 1 },
    to: anys,
  }),
  dashboard: closed({ enabled: flag, labels }),
};

/** Identity, hardening, names, extras and the test. */
const everythingElse = {
  serviceAccount: closed({ create: flag, name: secret, annotations: labels }),
  podSecurityContext: any,
  securityContext: any,
  tmpSize: text(quantity),
  nameOverride: text('^[a-z0-9-]*$'),
  fullnameOverride: text('^[a-z0-9-]*$'),
  commonLabels: labels,
  deploymentAnnotations: labels,
  podAnnotations: labels,
  podLabels: labels,
  extraPodSpec: any,
  extraVolumes: anys,
  extraVolumeMounts: anys,
  tests: closed({
    enabled: flag,
    apiKeySecret: secret,
    apiKeyKey: secretKey,
    clientSecret: secret,
    serverName: text(),
  }),
};

/** The schemas of the settings of an import that a model may have. */
function importSchemas(importCommandSettings) {
  const imports = settingSchemas(importCommandSettings, (name) => importSettings.includes(name));
  // Numbers, which the command reads from text.
  imports['min-cosine'] = { ...imports['min-cosine'], type: 'number', exclusiveMinimum: 0, maximum: 1 };
  delete imports['min-cosine'].minLength;
  imports['image-size'] = { ...imports['image-size'], ...integer(1, 4096) };
  delete imports['image-size'].minLength;
  imports.resize = { description: imports.resize.description, enum: ['squash', 'crop'] };
  return imports;
}

/** Where models come from, and which are served. */
function modelsSchema(imports) {
  const model = closed(
    {
      name: text(modelName),
      folder: text('^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$'),
      import: closed({ source: text('^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$'), ...imports }, ['source']),
    },
    ['name'],
  );
  return closed({
    from: choice('embedded', 'pvc', 'image', 'import'),
    serve: list(model),
    teacher: text('^[A-Za-z0-9._-]{0,64}$'),
    pvc: closed({ claimName: secret, subPath: text() }),
    image: closed({ reference: text(), pullPolicy }),
    import: closed({
      size: text(quantity),
      storageClassName: text(),
      tokenSecret: secret,
      tokenKey: secretKey,
      extraEnv: anys,
      resources: any,
    }),
  });
}

/** The schema of values.yaml, given the settings of serve and of import. */
export function chartSchema(serveSettings, importCommandSettings) {
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart siglip-hd',
    ...closed({
      // Helm sets it if the chart is part of another.
      global: any,
      image: closed({
        repository: text('^[a-zA-Z0-9][a-zA-Z0-9._:/-]*$'),
        tag: text('^[A-Za-z0-9._-]{0,128}$'),
        digest: text('^(sha256:[0-9a-f]{64})?$'),
        pullPolicy,
      }),
      imagePullSecrets: anys,
      device: choice('cpu', 'cuda'),
      replicas: integer(0),
      config: closed(settingSchemas(serveSettings, (name) => !chartSettings.includes(name))),
      extraEnv: anys,
      models: modelsSchema(importSchemas(importCommandSettings)),
      engine,
      ...placement,
      ...network,
      ...access,
      ...scaling,
      ...monitoring,
      ...everythingElse,
    }),
  };
}
