import type { Model } from '../../src/model/model.ts';
import { stubModel } from '../support/stub-model.ts';

export const model: Model = { ...stubModel, name: 'tiny', channels: 48 };
