// What the chart's values may be: the JSON schema that Helm holds them against. `npm run docs` writes it to
// deploy/helm/siglip-hd/values.schema.json, with the settings of serve under config.

/** Settings of serve that the chart gives itself, by values of its own. */
export const chartSettings = [
  'model',
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
export const importSettings = ['revision', 'precision', 'min-cosine', 'features', 'image-size', 'resize'];

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
/** Something of Kubernetes', which its own API checks. */
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

/** A setting of the service as a value may have it: bytes also as 256MiB, and a number where one is meant. */
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
        // Of plain digits the service reads twelve.
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

/** The schema of values.yaml, given the settings of serve and of import. */
export function chartSchema(serveSettings, importCommandSettings) {
  const imports = settingSchemas(importCommandSettings, (name) => importSettings.includes(name));
  // Numbers, which the command reads from text.
  imports['min-cosine'] = { ...imports['min-cosine'], type: 'number', exclusiveMinimum: 0, maximum: 1 };
  delete imports['min-cosine'].minLength;
  imports['image-size'] = { ...imports['image-size'], ...integer(1, 4096) };
  delete imports['image-size'].minLength;
  imports.resize = { description: imports.resize.description, enum: ['squash', 'crop'] };
  const model = closed(
    {
      name: text(modelName),
      folder: text('^[A-Za-z0-9._-]+(/[A-Za-z0-9._-]+)*$'),
      import: closed({ source: text('^[A-Za-z0-9._-]+/[A-Za-z0-9._-]+$'), ...imports }, ['source']),
    },
    ['name'],
  );
  return {
    $schema: 'http://json-schema.org/draft-07/schema#',
    title: 'Values of the chart siglip-hd',
    ...closed({
      // Helm's own, where the chart is part of another.
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
      models: closed({
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
      }),
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
      apiKeys: closed({ secret, key: secretKey }),
      tls: closed({ secret, clientCaSecret: secret, clientCaKey: secretKey }),
      redis: closed({ secret, key: secretKey, port, to: anys }),
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
    }),
  };
}
