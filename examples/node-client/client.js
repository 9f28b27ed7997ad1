// Encodes one image over gRPC and prints the tokens' shape, the model and the timings.
//
//   node client.js photo.jpg [localhost:50051]
// @ts-check
import { readFile } from 'node:fs/promises';
import { connect } from './service.js';

const [image, address = 'localhost:50051'] = process.argv.slice(2);
if (image === undefined) fail('usage: node client.js IMAGE [HOST:PORT]', 2);

const service = connect(address);
const file = await readFile(image).catch((error) => fail(error.message, 2));
const { tokens, metadata, timings } = await service.encode(file).catch((error) => fail(error.message, 1));
console.log(`shape [${metadata.shape.join(', ')}], ${tokens.length} values, the first ${tokens[0]}`);
console.log(`model ${metadata.model?.name}, ${metadata.features}, trained: ${metadata.model?.trained}`);
console.log(
  Object.entries(timings)
    .map(([stage, ms]) => `${stage} ${ms.toFixed(1)}`)
    .join(', '),
);
service.close();

/** @returns {never} */
function fail(/** @type {string} */ sentence, /** @type {number} */ exitCode) {
  console.error(sentence);
  process.exit(exitCode);
}
