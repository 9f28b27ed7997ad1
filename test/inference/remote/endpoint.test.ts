import assert from 'node:assert/strict';
import { test } from 'node:test';
import { endpointUrl, parseEndpoint } from '../../../src/inference/remote/endpoint.ts';

test('an endpoint is grpc:// or grpcs://, a host, a port and, if it differs, the model on the server', () => {
  const hosts = ['triton-0.engines.svc', '10.0.0.1', '[2001:db8::1]', 'under_score'];
  for (const host of hosts) {
    for (const url of [`grpc://${host}:8001`, `grpcs://${host}:1/siglip_hd.v2`]) {
      const endpoint = parseEndpoint(url);
      assert.equal(endpoint && endpointUrl(endpoint), url);
    }
  }
  assert.deepEqual(parseEndpoint('grpcs://triton:8001/hd'), {
    host: 'triton',
    port: 8001,
    secure: true,
    model: 'hd',
  });
});

test('nothing else is an endpoint', () => {
  const wrong = [
    '',
    'triton:8001',
    'http://triton:8001',
    'grpc://triton',
    'grpc://triton:0',
    'grpc://triton:65536',
    'grpc://triton:8001/',
    'grpc://triton:8001/a/b',
    'grpc://user@triton:8001',
    'grpc://2001:db8::1:8001',
  ];
  assert.deepEqual(
    wrong.filter((text) => parseEndpoint(text) !== undefined),
    [],
  );
});
