import assert from 'node:assert/strict';
import { externalTest } from '../support/external.ts';
import { missingSchemas, problemsOf } from '../support/kubernetes-schema.ts';

const pod = (spec: object) => ({ apiVersion: 'v1', kind: 'Pod', metadata: { name: 'a' }, spec });

externalTest('the schemas find a value that does not fit', missingSchemas, async () => {
  const problems = await problemsOf(pod({ containers: [{ name: 'a', ports: [{ containerPort: 'http' }] }] }));
  assert.match(problems.join(), /containerPort.*integer/);
});

externalTest('the schemas find a field that there is not, wherever it is', missingSchemas, async () => {
  const containers = [{ name: 'a', image: 'a', livenesProbe: {} }];
  assert.deepEqual(await problemsOf({ ...pod({ containers, nodeSelector: { any: 'thing' } }), sepc: {} }), [
    'spec.containers.0.livenesProbe is no field',
    'sepc is no field',
  ]);
});

externalTest('the schemas find nothing wrong with what is right', missingSchemas, async () => {
  const resources = { limits: { cpu: 2, memory: '6Gi' } };
  assert.deepEqual(await problemsOf(pod({ containers: [{ name: 'a', image: 'a', resources }] })), []);
});

externalTest('the schemas find a kind that there is not', missingSchemas, async () => {
  assert.deepEqual(await problemsOf({ apiVersion: 'apps/v1', kind: 'Pod', metadata: { name: 'a' } }), [
    'there is no Pod in apps/v1',
  ]);
});
