import { stripVTControlCharacters } from 'node:util';

const longest = 300;

/** Where in its source ONNX Runtime was: a file, a line and a function's signature. */
const sourcePlace = /\/onnxruntime_src\/\S+:\d+ [^()]*\((?:[^()]|\([^()]*\))*\)(?: const)? /g;

/**
 * An error of ONNX Runtime as the end of a sentence: its first line, without colours, places in the source, and the
 * full stop.
 */
export function runtimeReason(message: string): string {
  const [line = ''] = stripVTControlCharacters(message).trim().split('\n');
  const reason = line
    .replaceAll(sourcePlace, '')
    .replaceAll(/\p{Cc}/gu, '?')
    .replace(/[\s.:]*$/, '');
  return reason.length > longest ? `${reason.slice(0, longest)}...` : reason;
}
