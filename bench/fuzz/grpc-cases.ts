import type { Corpus, FuzzInput, GrpcStep } from './case.ts';
import { mutate, oddNumbers } from './mutate.ts';
import { below, pick, type Random, several } from './random.ts';
import { anyText, headerText } from './texts.ts';

const service = '/siglip_hd.v1.VisualEncoderService';
const metadataNames = [
  'priority',
  'request-timeout-ms',
  'cache-control',
  'x-request-id',
  'authorization',
  'x-odd-bin',
];
const metadataTexts = ['bulk', 'interactive', '1', '50', '0', '-1', '1e9', 'no-store', 'urgent'];

/** A call with right or mutated messages and odd metadata; streams in odd orders, with pauses and cancels. */
export function mutatedMessages(corpus: Corpus, random: Random): FuzzInput {
  const method = random() < 0.4 ? 'StreamEncode' : pick(random, Object.keys(corpus.messages));
  const streams = method === 'StreamEncode';
  const sends = several(streams ? below(random, 8) : 1, () => send(corpus, random, method));
  const steps = sends.flatMap((step): GrpcStep[] => {
    return streams && random() < 0.2 ? [{ do: 'pause', ms: below(random, 20) }, step] : [step];
  });
  if (random() < 0.12) steps.push({ do: 'pause', ms: below(random, 10) }, { do: 'cancel' });
  return {
    kind: 'grpc',
    what: `mutated messages of ${method}`,
    path: `${service}/${method}`,
    streams,
    metadata: metadata(random),
    ...(random() < 0.08 ? { deadlineMs: pick(random, [1, 5, 30, 2 ** 31]) } : {}),
    steps,
  };
}

function send(corpus: Corpus, random: Random, method: string): GrpcStep {
  const message = pick(random, corpus.messages[method]!);
  const odd = random();
  // Messages of another method, options that are odd, and one of the other kinds of mutation.
  if (odd < 0.1) return { do: 'send', message: pick(random, Object.values(corpus.messages).flat()) };
  if (odd < 0.3) return { do: 'send', message: Buffer.concat([message, fields(random)]) };
  if (odd < 0.33) return { do: 'send', message: Buffer.alloc(below(random, 1_300_000), 0x0a) };
  return { do: 'send', message: mutate(message, random) };
}

/** Fields of protobuf that stand behind those of a message, and so win over them. */
function fields(random: Random): Buffer {
  return Buffer.concat(
    several(1 + below(random, 5), () => {
      const number = pick(random, [1, 2, 3, 4, 5, 6, 15, 16, 2047, 536_870_911]);
      const type = pick(random, [0, 1, 2, 5, 2, 2, 3, 4, 6, 7]);
      const key = varint(number * 8 + type);
      const text = random() < 0.5 ? Buffer.from(anyText(random)) : nested(random, below(random, 6));
      if (type === 0) return Buffer.concat([key, varint(pick(random, [...oddNumbers, 2 ** 53 - 1]))]);
      if (type === 1)
        return Buffer.concat([key, Buffer.from(several(8, () => pick(random, [0, 0xff, 0x7f, 0xf0])))]);
      if (type === 2) return Buffer.concat([key, varint(random() < 0.9 ? text.byteLength : 2 ** 31), text]);
      return Buffer.concat([key, Buffer.alloc(4, below(random, 256))]);
    }),
  );
}

/** A message in a message, of small numbers and odd ones. */
function nested(random: Random, depth: number): Buffer {
  const number = varint(pick(random, [1, 2, 3, 4, 5, 6]) * 8 + (depth > 0 ? 2 : 0));
  if (depth === 0) return Buffer.concat([number, varint(pick(random, oddNumbers))]);
  const inside = nested(random, depth - 1);
  return Buffer.concat([number, varint(inside.byteLength), inside]);
}

function varint(value: number): Buffer {
  const bytes: number[] = [];
  let left = BigInt(value);
  for (; left > 127n; left >>= 7n) bytes.push(Number(left & 127n) | 128);
  return Buffer.from([...bytes, Number(left)]);
}

function metadata(random: Random): Record<string, string> {
  if (random() < 0.6) return {};
  const text = () =>
    random() < 0.6 ? pick(random, metadataTexts) : headerText(random).replace(/[^\x20-\x7e]/g, '?');
  return Object.fromEntries(several(1 + below(random, 3), () => [pick(random, metadataNames), text()]));
}

/** A call whose messages have other lengths than they say, are said to be compressed, or end in the middle. */
export function mutatedFrames(corpus: Corpus, random: Random): FuzzInput {
  const method = pick(random, [...Object.keys(corpus.messages), 'Nothing']);
  const messages = several(below(random, 4), () => {
    const message = pick(random, corpus.messages[method] ?? [Buffer.alloc(9)]);
    const prefix = Buffer.alloc(5);
    prefix[0] = random() < 0.85 ? 0 : pick(random, [1, 2, 255]);
    const said =
      random() < 0.6
        ? message.byteLength
        : pick(random, [...oddNumbers, Math.max(0, message.byteLength - 1)]);
    prefix.writeUInt32BE(said, 1);
    return Buffer.concat([prefix, message]);
  });
  const bytes = Buffer.concat(messages);
  const headers: Record<string, string> = {
    ':method': random() < 0.95 ? 'POST' : pick(random, ['GET', 'PUT', 'OPTIONS']),
    ':path': random() < 0.9 ? `${service}/${method}` : pick(random, ['/', service, '//', '/x/y/z', '*']),
    'content-type': pick(random, [
      'application/grpc',
      'application/grpc',
      'application/grpc+proto',
      'text/plain',
      '',
    ]),
    te: 'trailers',
    ...(random() < 0.2 ? { 'grpc-encoding': pick(random, ['gzip', 'deflate', 'identity', 'br', '']) } : {}),
    ...(random() < 0.2 ? { 'grpc-timeout': pick(random, ['1m', '0S', '-1S', '99999999999H', 'x', '']) } : {}),
    ...(random() < 0.1 ? { 'x-odd-bin': '!' } : {}),
  };
  const what = `mutated frames of ${method}`;
  return {
    kind: 'frames',
    what,
    headers,
    bytes: random() < 0.6 ? bytes : mutate(bytes, random),
    reset: random() < 0.15,
  };
}

/** A connection of HTTP/2 whose frames are mutated. */
export function rawFrames(corpus: Corpus, random: Random): FuzzInput {
  const preface = Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n');
  const message = pick(random, corpus.messages['Encode']!);
  const prefix = Buffer.alloc(5);
  prefix.writeUInt32BE(message.byteLength, 1);
  const headers = Object.entries({
    ':method': 'POST',
    ':scheme': 'http',
    ':path': `${service}/Encode`,
    ':authority': 'a',
    'content-type': 'application/grpc',
    te: 'trailers',
  }).map(([name, value]) => Buffer.concat([Buffer.of(0), hpackText(name), hpackText(value)]));
  const odd = [
    frame(
      below(random, 14),
      below(random, 256),
      below(random, 9),
      Buffer.alloc(below(random, 40), below(random, 256)),
    ),
    frame(6, 0, 0, Buffer.alloc(8)),
    frame(3, 0, 1, Buffer.alloc(4)),
    frame(8, 0, pick(random, [0, 1]), Buffer.from([0x7f, 0xff, 0xff, 0xff])),
    frame(4, 0, 0, Buffer.from([0, below(random, 9), 0xff, 0xff, 0xff, 0xff])),
  ];
  const frames = [
    frame(4, 0, 0, Buffer.alloc(0)),
    frame(1, 4, 1, Buffer.concat(headers)),
    frame(0, 1, 1, Buffer.concat([prefix, message])),
  ];
  for (let more = below(random, 4); more > 0; more--) frames.splice(below(random, 4), 0, pick(random, odd));
  const rest = Buffer.concat(frames);
  const bytes = Buffer.concat([preface, random() < 0.5 ? rest : mutate(rest, random)]);
  const end = pick(random, ['end', 'end', 'abort', 'trickle'] as const);
  return { kind: 'raw', what: 'mutated frames of HTTP/2', port: 'grpc', bytes, end };
}

function frame(type: number, flags: number, stream: number, payload: Buffer): Buffer {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.byteLength, 0, 3);
  head.writeUInt8(type, 3);
  head.writeUInt8(flags, 4);
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

/** A literal of HPACK (RFC 7541, 5.2) of fewer than 127 bytes. */
function hpackText(text: string): Buffer {
  return Buffer.concat([Buffer.of(text.length), Buffer.from(text, 'latin1')]);
}
