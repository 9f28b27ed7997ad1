// Encodes one image over gRPC and prints the tokens' shape, the model and the timings.
//
//   node client.js photo.jpg [grpc://localhost:50051]
//
// SIGLIPHD_URL is the service's URL if none is given, grpcs://HOST:PORT for TLS; SIGLIPHD_API_KEY is the key, if the service has
// keys. For a private CA set NODE_EXTRA_CA_CERTS to its certificate. GRPC_DEFAULT_SSL_ROOTS_FILE_PATH must not be set then: grpc-js
// trusts nothing else beside it.
// @ts-check
import { readFile } from 'node:fs/promises';
import { connect } from './service.js';

const { SIGLIPHD_URL = 'grpc://localhost:50051', SIGLIPHD_API_KEY: key } = process.env;
const [image, url = SIGLIPHD_URL] = process.argv.slice(2);
if (image === undefined) fail('usage: node client.js IMAGE [grpc://HOST:PORT]', 2);

const file = await readFile(image).catch((error) => fail(error.message, 2));
try {
  const service = connect(url, key);
  const { tokens, metadata, timings } = await service.encode(file);
  console.log(`shape [${metadata.shape.join(', ')}], ${tokens.length} values, the first ${tokens[0]}`);
  console.log(`model ${metadata.model?.name}, ${metadata.features}, trained: ${metadata.model?.trained}`);
  console.log(
    Object.entries(timings)
      .map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`)
      .join(', '),
  );
  service.close();
} catch (error) {
  fail(error instanceof Error ? error.message : String(error), 1);
}

/** @returns {never} */
function fail(/** @type {string} */ sentence, /** @type {number} */ exitCode) {
  console.error(sentence);
  process.exit(exitCode);
}
