// Original file: proto/inference/open_inference.proto

import type { ModelInput as _inference_ModelInput, ModelInput__Output as _inference_ModelInput__Output } from './ModelInput.ts';
import type { ModelOutput as _inference_ModelOutput, ModelOutput__Output as _inference_ModelOutput__Output } from './ModelOutput.ts';
import type { ModelParameter as _inference_ModelParameter, ModelParameter__Output as _inference_ModelParameter__Output } from './ModelParameter.ts';

export interface ModelConfig {
  'name'?: (string);
  'platform'?: (string);
  'maxBatchSize'?: (number);
  'input'?: readonly (_inference_ModelInput)[];
  'output'?: readonly (_inference_ModelOutput)[];
  'parameters'?: ({[key: string]: _inference_ModelParameter});
  'backend'?: (string);
}

export interface ModelConfig__Output {
  'name': (string);
  'platform': (string);
  'maxBatchSize': (number);
  'input': readonly (_inference_ModelInput__Output)[];
  'output': readonly (_inference_ModelOutput__Output)[];
  'parameters': ({[key: string]: _inference_ModelParameter__Output});
  'backend': (string);
}
