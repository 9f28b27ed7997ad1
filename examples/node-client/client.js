// Encodes one image over gRPC and prints the tokens' shape, the model and the timings.
//
//   node client.js photo.jpg [localhost:50051]
import { readFile } from 'node:fs/promises';
import { fileURLToPath } from 'node:url';
import * as grpc from '@grpc/grpc-js';
import { loadSync } from '@grpc/proto-loader';

const [imagePath, address = 'localhost:50051'] = process.argv.slice(2);
if (imagePath === undefined) {
  console.error('usage: node client.js IMAGE [HOST:PORT]');
  process.exit(2);
}

const definition = loadSync('siglip_hd/v1/encoder.proto', {
  includeDirs: [fileURLToPath(new URL('../../proto', import.meta.url))],
  enums: String,
  defaults: true,
});
const { siglip_hd } = grpc.loadPackageDefinition(definition);
const client = new siglip_hd.v1.VisualEncoderService(address, grpc.credentials.createInsecure(), {
  // Tokens can pass the 4 MiB that a client accepts by default,
  'grpc.max_receive_message_length': 64 * 2 ** 20,
  // and arrive more than twice as fast through a window wider than 64 KiB.
  'grpc-node.flow_control_window': 8 * 2 ** 20,
});

const file = await readFile(imagePath).catch((error) => {
  console.error(error.message);
  process.exit(2);
});
const request = { image: { file }, options: { dtype: 'DTYPE_FLOAT32' } };
client.encode(request, { deadline: Date.now() + 60_000 }, (error, response) => {
  client.close();
  if (error) {
    console.error(`${grpc.status[error.code]}: ${error.details}`);
    process.exitCode = 1;
    return;
  }
  const { tensor, metadata, timings } = response;
  // The bytes may begin anywhere in a larger buffer: a Float32Array wants them aligned.
  const tokens = new Float32Array(Uint8Array.from(tensor.data).buffer);
  console.log(`shape [${tensor.shape.join(', ')}], ${tokens.length} values, the first ${tokens[0]}`);
  console.log(`model ${metadata.model.name}, ${metadata.features}, trained: ${metadata.model.trained}`);
  const stages = ['decode', 'views', 'queue', 'engine'];
  console.log(stages.map((stage) => `${stage} ${timings[`${stage}Ms`].toFixed(1)} ms`).join(', '));
});
