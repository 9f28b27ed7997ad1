import type { ExportedModel } from './read-export.ts';
import type { WireFile } from './wire-file.ts';

/** The first opset whose operators take what is put in front and behind. */
const firstOpset = 13;

/** Domains that ONNX Runtime has operators for; the first is ONNX's own. */
const knownDomains = new Set([
  '',
  'ai.onnx.ml',
  'com.microsoft',
  'com.microsoft.nchwc',
  'com.ms.internal.nhwc',
]);

/**
 * Holds a graph against what ONNX demands of it: each value is given once, before it is read, so that there is no
 * cycle. Throws `invalid_argument` otherwise, and for operators that ONNX Runtime cannot have.
 */
export function checkNodes(file: WireFile, model: ExportedModel): void {
  const opset = model.opsets.get('');
  if (opset === undefined) throw file.fault("does not say which version of ONNX's operators it uses");
  if (!(opset >= firstOpset)) {
    throw file.fault(`uses opset ${opset}; export it with opset ${firstOpset} or a later one`);
  }
  const given = new Set<string>();
  for (const { name } of model.initialisers) give(file, given, name);
  // Before version 4 of the format initialisers were inputs too.
  for (const { name } of model.inputs) given.add(name);
  for (const node of model.nodes) {
    const { name, operator, domain, inputs, outputs } = node;
    if (!knownDomains.has(domain) && !model.functionDomains.has(domain)) {
      throw file.fault(`has operators of ${domain}, as ${operator}, which ONNX Runtime does not know`);
    }
    const missing = inputs.find((input) => input !== '' && !given.has(input));
    if (missing !== undefined) {
      throw file.fault(
        `is damaged: node ${name || operator} reads ${missing}, which nothing before it gives`,
      );
    }
    for (const output of outputs) if (output !== '') give(file, given, output);
  }
  const unknown = model.outputs.find(({ name }) => !given.has(name));
  if (unknown !== undefined) throw file.fault(`is damaged: nothing gives its output ${unknown.name}`);
}

function give(file: WireFile, given: Set<string>, name: string): void {
  if (given.has(name)) throw file.fault(`is damaged: ${name} is given twice`);
  given.add(name);
}
