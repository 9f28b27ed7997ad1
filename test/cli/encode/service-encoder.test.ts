import assert from 'node:assert/strict';
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { createServer as createHttp2Server } from 'node:http2';
import { createServer as createTlsServer } from 'node:https';
import type { AddressInfo } from 'node:net';
import { readdir, readFile, rm } from 'node:fs/promises';
import { buffer, text } from 'node:stream/consumers';
import { test, type TestContext } from 'node:test';
import { setTimeout as wait } from 'node:timers/promises';
import { encodeFiles } from '../../../src/cli/encode/encode.ts';
import { pino } from 'pino';
import type { CreateEncoder } from '../../../src/cli/command-encoder.ts';
import { Encoder } from '../../../src/encoding/encoder.ts';
import { ServiceError } from '../../../src/errors/service-error.ts';
import { startService } from '../../../src/service.ts';
import { imageBytes } from '../../support/golden.ts';
import { serviceConfig } from '../../support/service-config.ts';
import { until } from '../../support/until.ts';
import { tlsFixture, tlsFixturePath } from '../../support/tls-fixtures.ts';
import { importFixture, scratchFolder } from '../../support/tiny-models.ts';
import { fakeTerminal } from '../fake-terminal.ts';
import { folderWith, manifestOf, settingsOf, stubParts } from './encode-stub.ts';

const openEncoder: CreateEncoder<'plan' | 'encode'> = async (config, logger) =>
  Encoder.open(config, {}, logger, () => {});

const digest = `sha256:${'a'.repeat(64)}`;

type Handler = (request: IncomingMessage, response: ServerResponse, body: Buffer) => void;

/** A service that is made up: it plans, and answers images by `encode`. */
interface FakeModel {
  /** A sentence with which every plan is refused. */
  readonly refusal?: string;
  /** Refuses a plan, or returns false. */
  readonly refuse?: (response: ServerResponse) => boolean;
  readonly model?: string;
  readonly projector?: string;
  readonly teacher?: object;
}

async function fakeService(
  context: TestContext,
  encode: Handler,
  { model = digest, projector, teacher, refusal, refuse }: FakeModel = {},
) {
  const requests: { readonly url: string; readonly headers: IncomingMessage['headers'] }[] = [];
  const handle = async (request: IncomingMessage, response: ServerResponse) => {
    const { url = '', headers } = request;
    const body = await buffer(request);
    requests.push({ url, headers });
    if (refusal !== undefined) {
      response.writeHead(400, { 'content-type': 'application/problem+json' });
      response.end(JSON.stringify({ code: 'invalid_argument', detail: refusal }));
    } else if (url.startsWith('/v1/plan')) {
      if (refuse?.(response)) return;
      const metadata = {
        model: { name: 'fake', digest: model },
        ...(projector === undefined ? {} : { projector: { digest: projector } }),
        teacher,
      };
      response.end(JSON.stringify({ metadata }));
    } else encode(request, response, body);
  };
  const server = createServer((request, response) => void handle(request, response));
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  context.after(() => server.closeAllConnections());
  context.after(() => server.close());
  return { url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`, requests, server };
}

const answer: Handler = (_request, response, body) => {
  response.setHeader('tokens-meta', '{"shape":[1,1]}');
  response.end(body);
};

function problem(
  response: ServerResponse,
  status: number,
  code: string,
  headers: Record<string, string> = {},
) {
  response.writeHead(status, { 'content-type': 'application/problem+json', ...headers });
  response.end(JSON.stringify({ code, detail: `This is ${code}.` }));
}

const pictures = async (context: TestContext, count: number) =>
  folderWith(
    context,
    Object.fromEntries(Array.from({ length: count }, (_, index) => [`in/${index}.jpg`, [index + 1]])),
  );

const run = async (
  at: (name: string) => string,
  urls: readonly string[],
  flags: readonly string[] = [],
  env = {},
  clock = {
    now: () => performance.now(),
    wait: async (waitMs: number): Promise<unknown> => wait(Math.min(waitMs, 20)),
  },
) => {
  const { terminal, stderr } = fakeTerminal();
  const settings = settingsOf(['--out', at('out'), ...urls.flatMap((url) => ['--url', url]), ...flags], env);
  const parts = { ...stubParts().parts, wait: clock.wait };
  // With a clock that does not tick at every look.
  const timed = { ...terminal, now: clock.now };
  const exitCode = await encodeFiles([at('in')], settings, timed, parts).catch((error: unknown) => error);
  return { exitCode, stderr: stderr.text };
};

/** What a run fails with. */
const failureOf = async (...given: Parameters<typeof run>): Promise<ServiceError> => {
  const { exitCode } = await run(...given);
  assert.ok(exitCode instanceof ServiceError);
  return exitCode;
};

/** Runs the program, which alone reads NODE_EXTRA_CA_CERTS. */
async function encodeCommand(flags: readonly string[], env: NodeJS.ProcessEnv) {
  const args = ['bin/siglip-hd.cjs', 'encode', 'test/fixtures/images/rocket.jpg', ...flags];
  const child = spawn(process.execPath, args, { env: { ...process.env, ...env }, timeout: 60_000 });
  const [stderr, [exitCode]] = await Promise.all([
    text(child.stderr),
    once(child, 'exit') as Promise<[number]>,
  ]);
  return { exitCode, stderr };
}

test('asks a service as HTTP has it: recipe, options, digest, key, priority and no caching', async (context) => {
  const at = await pictures(context, 1);
  const { url, requests } = await fakeService(context, answer);
  const flags = ['--recipe', 'teacher', '--scales', '512,1024', '--dtype', 'float32', '--model', 'hd'];
  const { exitCode } = await run(at, [url], flags, { SIGLIPHD_API_KEY: 'secret' });
  assert.equal(exitCode, 0);
  const [plan, encode] = requests;
  const query =
    'model=hd&output=features&dtype=float32&exif=apply&scales=512%2C1024&fusion=average&windows=tiles';
  assert.equal(plan?.url, `/v1/plan?recipe=teacher&width=1024&height=1024&${query}`);
  assert.equal(
    encode?.url,
    `/v1/teacher-encode?${query}&expect_digest=${encodeURIComponent(digest)}&format=npy`,
  );
  const { authorization, priority, 'cache-control': cache } = encode.headers;
  assert.deepEqual([authorization, priority, cache], ['Bearer secret', 'bulk', 'no-store']);
  assert.deepEqual(await readFile(at('out/0.npy')), Buffer.of(1));
});

test('loses nothing and writes nothing twice when services refuse, break off and close connections', async (context) => {
  const at = await pictures(context, 60);
  const tried = new Set<number>();
  // Four of five images fail at their first try, in four ways.
  const moody: Handler = (request, response, body) => {
    const [image = 0] = body;
    const kind = tried.has(image) ? 0 : image % 5;
    tried.add(image);
    if (kind === 1) problem(response, 503, 'unavailable', { 'retry-after-ms': '1' });
    else if (kind === 2) problem(response, 429, 'overloaded', { 'retry-after': '0' });
    else if (kind === 3) request.socket.destroy();
    else if (kind === 4) {
      response.writeHead(200, { 'content-length': '100', 'tokens-meta': '{"shape":[1,1]}' });
      response.write('half');
      setImmediate(() => request.socket.destroy());
    } else answer(request, response, body);
  };
  const [a, b] = await Promise.all([fakeService(context, moody), fakeService(context, moody)]);
  const { exitCode } = await run(at, [a.url, b.url], ['--url-requests', '4']);
  assert.equal(exitCode, 0);
  const lines = await manifestOf(at('out'));
  assert.deepEqual(
    new Set(lines.map(({ file }) => file)),
    new Set(Array.from({ length: 60 }, (_, index) => at(`in/${index}.jpg`))),
  );
  assert.equal(lines.length, 60);
  for (let index = 0; index < 60; index += 1) {
    assert.deepEqual(await readFile(at(`out/${index}.npy`)), Buffer.of(index + 1));
  }
  assert.equal((await readdir(at('out'))).length, 61);
});

test('never has more requests under way than it may', async (context) => {
  const at = await pictures(context, 40);
  let underWay = 0;
  let most = 0;
  const { url } = await fakeService(context, (request, response, body) => {
    underWay += 1;
    most = Math.max(most, underWay);
    setTimeout(() => {
      underWay -= 1;
      answer(request, response, body);
    }, 5);
  });
  assert.equal((await run(at, [url], ['--url-requests', '3'])).exitCode, 0);
  assert.equal(most, 3);
});

test('reports a picture that a service refuses, and goes on', async (context) => {
  const at = await pictures(context, 3);
  const { url } = await fakeService(context, (request, response, body) =>
    body[0] === 2 ? problem(response, 400, 'invalid_argument') : answer(request, response, body),
  );
  const { exitCode, stderr } = await run(at, [url]);
  assert.equal(exitCode, 1);
  assert.equal(stderr, `siglip-hd: ${at('in/1.jpg')}: This is invalid_argument.\n`);
});

test('stops at a wrong key, at a model that is replaced, and at a server that is something else', async (context) => {
  for (const [encode, code] of [
    [
      (_: IncomingMessage, response: ServerResponse) => problem(response, 401, 'unauthenticated'),
      'unauthenticated',
    ],
    [
      (_: IncomingMessage, response: ServerResponse) => problem(response, 412, 'failed_precondition'),
      'failed_precondition',
    ],
    [(_: IncomingMessage, response: ServerResponse) => response.end('<html>'), 'failed_precondition'],
  ] as const) {
    const at = await pictures(context, 20);
    const { url, requests } = await fakeService(context, encode);
    const failure = await failureOf(at, [url], ['--url-requests', '1']);
    assert.equal(failure.code, code);
    assert.equal(requests.length, 2, 'a plan and one image');
  }
});

test('says that a port speaks gRPC, or no TLS, rather than try it again', async (context) => {
  const at = await pictures(context, 1);
  const refusalOf = async (url: string) => {
    const failure = await failureOf(at, [url]);
    assert.equal(failure.code, 'failed_precondition');
    return failure.message;
  };
  const grpc = createHttp2Server();
  grpc.listen(0, '127.0.0.1');
  await once(grpc, 'listening');
  context.after(() => grpc.close());
  const grpcUrl = `http://127.0.0.1:${(grpc.address() as AddressInfo).port}`;
  assert.equal(
    await refusalOf(grpcUrl),
    `${grpcUrl}: The port does not speak HTTP/1.1 and looks like a gRPC port: give the service's HTTP port, 8080 by default.`,
  );
  const { url } = await fakeService(context, answer);
  const secure = url.replace('http:', 'https:');
  assert.equal(
    await refusalOf(secure),
    `${secure}: The port does not speak TLS: write http:// in place of https://.`,
  );
});

test('says what to write for a port that speaks TLS, and why TLS fails, which it does not try again', async (context) => {
  const at = await pictures(context, 1);
  const secure = createTlsServer({ cert: tlsFixture('server.pem'), key: tlsFixture('server.key') });
  secure.listen(0, '127.0.0.1');
  await once(secure, 'listening');
  context.after(() => secure.close());
  const failure = async (url: string) => {
    const { code, message } = await failureOf(at, [url], ['--retry-ms', '0']);
    return [code, message];
  };
  const address = `127.0.0.1:${(secure.address() as AddressInfo).port}`;
  assert.deepEqual(await failure(`http://${address}`), [
    'unavailable',
    `http://${address} cannot be reached: connection reset by peer. If the port speaks TLS, write https:// in place of http://.`,
  ]);
  assert.deepEqual(await failure(`https://${address}`), [
    'failed_precondition',
    `https://${address}: The certificate is not trusted: unable to verify the first certificate. If your own CA signed it, ` +
      "set NODE_EXTRA_CA_CERTS to the CA's file.",
  ]);
  const { url } = await fakeService(context, answer, {
    refuse: (response) => {
      response
        .writeHead(400)
        .end('<html><center>The plain HTTP request was sent to HTTPS port</center></html>');
      return true;
    },
  });
  assert.deepEqual(await failure(url), [
    'failed_precondition',
    `${url}: The port speaks TLS: write https:// in place of http://.`,
  ]);
});

test('says that a certificate has expired or is for another host, and gives no advice that does not help', async (context) => {
  for (const [name, ca, host, reason] of [
    ['expired', 'expired.pem', '127.0.0.1', 'certificate has expired'],
    [
      'server',
      'ca.pem',
      '127.0.0.2',
      "Hostname/IP does not match certificate's altnames: IP: 127.0.0.2 is not in the cert's list: 127.0.0.1",
    ],
  ] as const) {
    const secure = createTlsServer({ cert: tlsFixture(`${name}.pem`), key: tlsFixture(`${name}.key`) });
    secure.listen(0, host);
    await once(secure, 'listening');
    context.after(() => secure.close());
    const address = `https://${host}:${(secure.address() as AddressInfo).port}`;
    const out = scratchFolder();
    context.after(() => out.remove());
    assert.deepEqual(
      await encodeCommand(['--url', address, '--out', out.path], { NODE_EXTRA_CA_CERTS: tlsFixturePath(ca) }),
      { exitCode: 1, stderr: `siglip-hd: ${address}: The certificate is not valid: ${reason}.\n` },
    );
  }
});

test('says that a service asks for a client certificate, whichever version of TLS it speaks', async (context) => {
  const out = scratchFolder();
  context.after(() => out.remove());
  for (const [maxVersion, sentence] of [
    ['TLSv1.3', 'The service asks for a client certificate, which encode cannot send.'],
    [
      'TLSv1.2',
      'The TLS handshake failed. Perhaps the service asks for a client certificate, which encode cannot send.',
    ],
  ] as const) {
    const [cert, key, ca] = [tlsFixture('server.pem'), tlsFixture('server.key'), tlsFixture('ca.pem')];
    const secure = createTlsServer({ cert, key, ca, requestCert: true, maxVersion });
    secure.listen(0, '127.0.0.1');
    await once(secure, 'listening');
    context.after(() => secure.close());
    const address = `https://127.0.0.1:${(secure.address() as AddressInfo).port}`;
    assert.deepEqual(
      await encodeCommand(['--url', address, '--out', out.path], {
        NODE_EXTRA_CA_CERTS: tlsFixturePath('ca.pem'),
      }),
      { exitCode: 1, stderr: `siglip-hd: ${address}: ${sentence}\n` },
    );
  }
});

test('does not suggest TLS for a port that has just answered plain HTTP', async (context) => {
  const at = await pictures(context, 1);
  const { url } = await fakeService(context, (request) => request.socket.destroy());
  const failure = await failureOf(at, [url], ['--retry-ms', '0']);
  assert.doesNotMatch(failure.message, /TLS/);
  assert.match(failure.message, /cannot be reached: /);
});

test('takes no refusal of a siglip-hd service for a port that speaks TLS, whatever words it quotes', async (context) => {
  const at = await pictures(context, 1);
  const refusal = 'There is no model "HTTPS port".';
  const { url } = await fakeService(context, answer, { refusal });
  const failure = await failureOf(at, [url]);
  assert.deepEqual([failure.code, failure.message], ['invalid_argument', `${url}: ${refusal}`]);
});

test('says where the API key goes when a service wants one or does not know it', async (context) => {
  const at = await pictures(context, 1);
  const { url } = await fakeService(context, (_, response) => problem(response, 401, 'unauthenticated'));
  for (const [env, sentence] of [
    [{}, 'The service needs an API key: set SIGLIPHD_API_KEY.'],
    [{ SIGLIPHD_API_KEY: 'wrong' }, 'The service does not know the API key in SIGLIPHD_API_KEY.'],
  ] as const) {
    const failure = await failureOf(at, [url], [], env);
    assert.deepEqual([failure.code, failure.message], ['unauthenticated', sentence]);
  }
});

test('names the projectors when two services differ in nothing else', async (context) => {
  const at = await pictures(context, 1);
  const [a, b] = await Promise.all([
    fakeService(context, answer, { projector: 'sha256:1' }),
    fakeService(context, answer, { projector: 'sha256:2' }),
  ]);
  const failure = await failureOf(at, [a.url, b.url]);
  assert.match(
    failure.message,
    /serve different projectors: sha256:1 and sha256:2\. Start them with the same model folders\.$/,
  );
});

test("gives a service's refusal of options in flags of the command line", async (context) => {
  const at = await pictures(context, 1);
  const refusal = 'It takes no other: leave grid out, or use fusion=average.';
  const { url } = await fakeService(context, answer, { refusal });
  const failure = await failureOf(at, [url]);
  assert.equal(failure.message, `${url}: It takes no other: leave --grid out, or use --fusion average.`);
});

test('names the address of a server that is no siglip-hd service', async (context) => {
  const at = await pictures(context, 1);
  const { url } = await fakeService(context, (_, response) => void response.end('<html>'));
  const failure = await failureOf(at, [url]);
  assert.equal(failure.message, `--url ${url} is not a siglip-hd service.`);
});

test('refuses services of different models, and goes on without one that is not there', async (context) => {
  const at = await pictures(context, 4);
  const [a, b] = await Promise.all([
    fakeService(context, answer),
    fakeService(context, answer, { model: `sha256:${'b'.repeat(64)}` }),
  ]);
  const different = await run(at, [a.url, b.url]);
  assert.ok(different.exitCode instanceof ServiceError);
  assert.match(
    different.exitCode.message,
    /serve different models: sha256:a+ and sha256:b+\. Name one that both serve with --model\.$/,
  );
  const { url } = await fakeService(context, answer);
  const half = await run(at, [a.url, 'http://127.0.0.1:9']);
  assert.deepEqual(half, {
    exitCode: 0,
    stderr:
      'siglip-hd: http://127.0.0.1:9 cannot be reached: connection refused. It gets images once it answers.\n',
  });
  assert.ok(url);
});

test('says that one service is not there while another has yet to answer', async (context) => {
  const at = await pictures(context, 1);
  const silent = createServer();
  silent.listen(0, '127.0.0.1');
  await once(silent, 'listening');
  context.after(() => silent.close());
  const { terminal, stderr } = fakeTerminal();
  let toldBefore = '';
  silent.on('request', (request: IncomingMessage) => {
    void until(() => stderr.text !== '').finally(() => {
      toldBefore = stderr.text;
      request.socket.destroy();
    });
  });
  const silentUrl = `http://127.0.0.1:${(silent.address() as AddressInfo).port}`;
  const urls = ['--url', 'http://127.0.0.1:9', '--url', silentUrl];
  const settings = settingsOf(['--out', at('out'), ...urls, '--retry-ms', '0']);
  await assert.rejects(encodeFiles([at('in')], settings, terminal, stubParts().parts), {
    code: 'unavailable',
  });
  assert.match(toldBefore, /^siglip-hd: http:\/\/127\.0\.0\.1:9 cannot be reached: connection refused\./);
});

test('waits for a service that starts, and says so at once', async (context) => {
  const at = await pictures(context, 1);
  let refusals = 3;
  const { url } = await fakeService(context, answer, {
    refuse: (response) => {
      if (refusals === 0) return false;
      refusals -= 1;
      problem(response, 503, 'unavailable');
      return true;
    },
  });
  assert.deepEqual(await run(at, [url]), {
    exitCode: 0,
    stderr: `siglip-hd: ${url}: This is unavailable. It gets images once it answers.\n`,
  });
});

test('gives up after --retry-ms if no service has ever answered, at once if it is 0', async (context) => {
  const at = await pictures(context, 1);
  const nobody = 'http://127.0.0.1:9';
  const refusal = `${nobody} cannot be reached: connection refused.`;
  for (const [retryMs, tried] of [
    ['0', ''],
    ['1500', ' Tried for 2 s (--retry-ms).'],
  ] as const) {
    let nowMs = 0;
    const clock = {
      now: () => nowMs,
      wait: async (waitMs: number) => {
        nowMs += waitMs;
      },
    };
    const { exitCode, stderr } = await run(at, [nobody], ['--retry-ms', retryMs], {}, clock);
    assert.ok(exitCode instanceof ServiceError);
    assert.deepEqual([exitCode.code, exitCode.message], ['unavailable', refusal + tried]);
    assert.equal(stderr, `siglip-hd: ${refusal} It gets images once it answers.\n`);
  }
});

test('refuses services whose models of a larger scale differ, and stops when one is replaced', async (context) => {
  const at = await pictures(context, 4);
  const teacherOf = (...digests: readonly string[]) => ({
    windows: 'whole',
    models: digests.map((each) => ({ name: 'fake', digest: each })),
  });
  const answerOf =
    (teacher: object): Handler =>
    (_request, response, body) => {
      response.setHeader('tokens-meta', JSON.stringify({ shape: [1, 1], teacher }));
      response.end(body);
    };
  const [some, other] = [teacherOf(digest, 'sha256:1'), teacherOf(digest, 'sha256:2')];
  const [a, b, replaced] = await Promise.all([
    fakeService(context, answerOf(some), { teacher: some }),
    fakeService(context, answerOf(other), { teacher: other }),
    fakeService(context, answerOf(other), { teacher: some }),
  ]);
  const flags = ['--recipe', 'teacher', '--windows', 'whole'];
  const different = await run(at, [a.url, b.url], flags);
  assert.ok(different.exitCode instanceof ServiceError);
  assert.match(
    different.exitCode.message,
    /serve different models of the larger scales: .*sha256:1 and .*sha256:2\. Start them /,
  );
  const changed = await run(at, [replaced.url], flags);
  assert.ok(changed.exitCode instanceof ServiceError);
  assert.match(
    changed.exitCode.message,
    /The service has changed the models of --windows whole: .*sha256:2, not /,
  );
  assert.deepEqual(await manifestOf(at('out')), []);
  assert.equal((await run(at, [a.url], flags)).exitCode, 0);
  assert.deepEqual((await manifestOf(at('out')))[0]?.['scale_models'], [digest, 'sha256:1']);
});

test('gives the same files with a service as with engines of its own', async (context) => {
  const scratch = scratchFolder();
  context.after(() => scratch.remove());
  const folder = await importFixture(scratch.path, 'siglip-tiny');
  const at = await folderWith(context, { 'in/rocket.jpg': imageBytes('rocket.jpg') });
  const service = await startService(
    serviceConfig({ models: [{ folder }] }),
    pino({ level: 'silent' }),
    () => {},
  );
  context.after(() => service.close());
  for (const flags of [
    ['--format', 'npy'],
    ['--format', 'safetensors', '--dtype', 'bfloat16', '--recipe', 'anyres', '--max-grid', '2x2'],
    ['--format', 'torch', '--recipe', 'teacher'],
    ['--format', 'webdataset'],
  ]) {
    const local = settingsOf(['--out', at('local'), '--model', folder, ...flags]);
    const remote = settingsOf([
      '--out',
      at('remote'),
      '--url',
      `http://127.0.0.1:${service.httpPort}`,
      ...flags,
    ]);
    const parts = { ...stubParts().parts, createEncoder: openEncoder };
    assert.equal(await encodeFiles([at('in')], local, fakeTerminal().terminal, parts), 0);
    assert.equal(await encodeFiles([at('in')], remote, fakeTerminal().terminal, parts), 0);
    const names = await readdir(at('local'));
    assert.deepEqual(await readdir(at('remote')), names);
    for (const name of names) {
      assert.deepEqual(await readFile(at(`remote/${name}`)), await readFile(at(`local/${name}`)), name);
    }
    await Promise.all([at('local'), at('remote')].map(async (out) => rm(out, { recursive: true })));
  }
});
