import type { Corpus, FuzzInput } from './case.ts';
import { anImage } from './ingredients.ts';
import { mutate } from './mutate.ts';
import { below, pick, type Random, several } from './random.ts';
import { anyText } from './texts.ts';

/** Bytes that are hardly HTTP, or are it and end too soon, or come with others behind them. */
export function rawHttp(corpus: Corpus, random: Random): FuzzInput {
  const body = anImage(corpus, random).bytes.subarray(0, 4000);
  const bytes = Buffer.concat(text(body, random).map((piece) => Buffer.from(piece)));
  return {
    kind: 'raw',
    what: 'bytes that are hardly HTTP',
    port: 'http',
    bytes: random() < 0.6 ? bytes : mutate(bytes, random),
    end: pick(random, ['end', 'end', 'abort', 'trickle']),
  };
}

const post = 'POST /v1/encode HTTP/1.1\r\nhost: a\r\n';

function text(body: Buffer, random: Random): (string | Buffer)[] {
  const length = `content-length: ${body.byteLength}\r\n\r\n`;
  const chunk = () => [`${body.byteLength.toString(16)}\r\n`, body, '\r\n'];
  return pick<() => (string | Buffer)[]>(random, [
    () => [`${post}content-length: ${anyText(random)}\r\n\r\n`, body],
    () => [`${post}content-length: ${body.byteLength + pick(random, [-1, 1, 9, 2 ** 31])}\r\n\r\n`, body],
    () => [`${post}content-length: 5\r\ncontent-length: 9\r\n\r\n`, body],
    () => [`${post}content-length: 5\r\ntransfer-encoding: chunked\r\n\r\n`, ...chunk()],
    () => [`${post}transfer-encoding: chunked\r\n\r\n`, ...chunk(), '0\r\n\r\n'],
    () => [`${post}transfer-encoding: chunked\r\n\r\n`, ...chunk()],
    () => [`${post}transfer-encoding: chunked\r\n\r\n${anyText(random)}\r\n`, body],
    () => [`${post}transfer-encoding: chunked\r\n\r\n${'f'.repeat(below(random, 40))}\r\n`, body],
    () => [`${post}transfer-encoding: chunked\r\n\r\n1;${'x'.repeat(below(random, 40_000))}\r\n`, body],
    () => [
      `${post}transfer-encoding: ${pick(random, ['gzip', 'identity', 'chunked, chunked'])}\r\n\r\n`,
      body,
    ],
    () => [`${post}transfer-encoding: chunked\r\n\r\n`, ...chunk(), '0\r\nx: y\r\ncontent-length: 9\r\n\r\n'],
    () => [`${post}expect: 100-continue\r\n${length}`, random() < 0.5 ? body : ''],
    () => [`${post}upgrade: h2c\r\nconnection: upgrade\r\n${length}`, body],
    () => [post, ...several(below(random, 3000), (index) => `x-${index}: y\r\n`), length, body],
    () => [`${post}x: ${'y'.repeat(below(random, 40_000))}\r\n${length}`, body],
    () => [`${post} folded\r\nhost: b\r\n\tx\r\n${length}`, body],
    () => [`POST /v1/encode HTTP/${pick(random, ['1.0', '0.9', '2.0', '1.9', 'x'])}\r\n${length}`, body],
    () => [`${anyText(random)} ${anyText(random)} HTTP/1.1\r\n\r\n`],
    () => [`GET ${'/'.repeat(below(random, 30_000))} HTTP/1.1\r\nhost: a\r\n\r\n`],
    () => [`GET http://other/v1/models HTTP/1.1\r\nhost: ${anyText(random)}\r\n\r\n`],
    () => [`CONNECT other:443 HTTP/1.1\r\nhost: a\r\n\r\n`, body],
    () => [`GET /healthz HTTP/1.1\r\nhost: a\r\n\r\n`.repeat(below(random, 50))],
    () => several(1 + below(random, 6), () => [post, length, body]).flat(),
    () => [...several(1 + below(random, 4), () => [post, length, body]).flat(), post],
    () => [post, length, body.subarray(0, below(random, body.byteLength))],
    () => [post.slice(0, below(random, post.length))],
    () => [Buffer.from('160301020001000'.padEnd(600, '1'), 'hex')],
    () => ['PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'],
    () => [body],
    () => [],
  ])();
}
