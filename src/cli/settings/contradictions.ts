import { defaultModelName } from '../../model/model.ts';
import type { Machine } from './machine.ts';
import { type ModelSource, servedName } from '../../model/model-source.ts';

/** Something that values which are fine one by one must hold together. */
export interface Rule<V> {
  /** The values it looks at; it is left out when one of them is wrong in itself. */
  readonly of: readonly (keyof V)[];
  /** A sentence for each thing that is wrong. */
  problems(values: V, machine: Machine): readonly string[];
}

interface EngineValues {
  readonly models: readonly ModelSource[];
  readonly decodeConcurrency: number;
}

interface ServeValues extends EngineValues {
  readonly teacher?: string | undefined;
  readonly httpPort: number;
  readonly grpcPort: number;
  readonly metricsPort?: number | undefined;
  readonly maxBatch: number;
  readonly maxBodyBytes: number;
  readonly maxInflightBytes: number;
  readonly maxImages: number;
  readonly maxAnswerBytes: number;
  readonly maxUnreadBytes: number;
  readonly maxQueuedViews: number;
}

interface ImportValues {
  readonly precision: string;
  readonly minCosine?: number | undefined;
  readonly calibrates: readonly string[];
}

interface EncodeValues extends EngineValues {
  readonly out: string;
  readonly format: 'auto' | 'npy' | 'safetensors';
  readonly dtype: string;
}

const modelsHaveNames: Rule<EngineValues> = {
  of: ['models'],
  problems({ models }) {
    const names = models.map(servedName);
    const twice = new Set(names.filter((name, index) => names.indexOf(name) !== index));
    return [...twice].map(
      (name) => `--model names more than one model "${name}"; use NAME=FOLDER to tell them apart.`,
    );
  },
};

const poolDecodes: Rule<EngineValues> = {
  of: ['decodeConcurrency'],
  problems: ({ decodeConcurrency }, { poolThreads }) =>
    decodeConcurrency <= poolThreads
      ? []
      : [
          `--decode-concurrency ${decodeConcurrency} needs the environment variable UV_THREADPOOL_SIZE to be ` +
            `${decodeConcurrency} or more; it is ${poolThreads}.`,
        ],
};

/** What serve's settings must hold together. */
export const serveRules: readonly Rule<ServeValues>[] = [
  {
    of: ['httpPort', 'grpcPort'],
    problems: ({ httpPort, grpcPort }) =>
      httpPort !== grpcPort || httpPort === 0
        ? []
        : [`--http-port and --grpc-port are both ${httpPort}; they must differ.`],
  },
  {
    of: ['httpPort', 'grpcPort', 'metricsPort'],
    problems: ({ httpPort, grpcPort, metricsPort }) =>
      Object.entries({ '--http-port': httpPort, '--grpc-port': grpcPort })
        .filter(([, port]) => port !== 0 && port === metricsPort)
        .map(([flag, port]) => `${flag} and --metrics-port are both ${port}; they must differ.`),
  },
  modelsHaveNames,
  {
    of: ['models'],
    problems({ models, teacher }) {
      const names = models.length === 0 ? [defaultModelName] : models.map(servedName);
      if (teacher === undefined || names.includes(teacher)) return [];
      return [`--teacher is "${teacher}"; the served models are ${names.join(', ')}.`];
    },
  },
  poolDecodes,
  {
    of: ['maxBodyBytes', 'maxInflightBytes'],
    problems: ({ maxBodyBytes, maxInflightBytes }) =>
      maxBodyBytes <= maxInflightBytes
        ? []
        : [`--max-body-bytes ${maxBodyBytes} can never fit in --max-inflight-bytes ${maxInflightBytes}.`],
  },
  {
    of: ['maxAnswerBytes', 'maxUnreadBytes'],
    problems: ({ maxAnswerBytes, maxUnreadBytes }) =>
      maxAnswerBytes <= maxUnreadBytes
        ? []
        : [`--max-answer-bytes ${maxAnswerBytes} can never fit in --max-unread-bytes ${maxUnreadBytes}.`],
  },
  {
    of: ['maxBatch', 'maxQueuedViews'],
    problems: ({ maxBatch, maxQueuedViews }) =>
      maxBatch <= maxQueuedViews
        ? []
        : [`--max-batch ${maxBatch} can never fill with --max-queued-views ${maxQueuedViews}.`],
  },
  {
    of: ['maxImages', 'maxQueuedViews'],
    problems: ({ maxImages, maxQueuedViews }) =>
      maxImages <= maxQueuedViews
        ? []
        : [`--max-images ${maxImages} can never fit in --max-queued-views ${maxQueuedViews}.`],
  },
];

/** Of them some 15 MB each are in memory, at So400m's size. */
const mostPictures = 64;

/** What import's settings must hold together. */
export const importRules: readonly Rule<ImportValues>[] = [
  {
    of: ['precision', 'calibrates'],
    problems: ({ precision, calibrates }) =>
      precision === 'int8' || calibrates.length === 0
        ? []
        : [`--calibrate is for --precision int8; nothing is measured for ${precision}.`],
  },
  {
    of: ['precision'],
    problems: ({ precision, minCosine }) =>
      precision === 'int8' || minCosine === undefined
        ? []
        : [`--min-cosine is for --precision int8; nothing is measured for ${precision}.`],
  },
  {
    of: ['calibrates'],
    problems: ({ calibrates: { length } }) =>
      length <= mostPictures
        ? []
        : [`--calibrate is given ${length} times; ${mostPictures} is the most, as all are held in memory.`],
  },
];

/** What encode's settings must hold together. */
export const encodeRules: readonly Rule<EncodeValues>[] = [
  modelsHaveNames,
  poolDecodes,
  {
    of: ['out'],
    problems: ({ out }) =>
      /\.np[yz]$/.test(out)
        ? [`--out ${out} is named like a file; it is a folder, or an archive that ends in .safetensors.`]
        : [],
  },
  {
    of: ['out', 'format'],
    problems: ({ out, format }) =>
      format === 'npy' && isArchive(out)
        ? [`--out ${out} is a safetensors archive, which --format npy cannot be.`]
        : [],
  },
  {
    of: ['out', 'format', 'dtype'],
    problems: (values) =>
      values.dtype === 'bfloat16' && tokenFormat(values) === 'npy'
        ? ['--dtype bfloat16 needs --format safetensors: npy has no bfloat16.']
        : [],
  },
];

interface CompareValues {
  readonly out?: string | undefined;
  readonly heatMax?: number | undefined;
  readonly teacherOf?: ModelSource | undefined;
  readonly scales?: readonly number[] | undefined;
  readonly weights?: readonly number[] | undefined;
  readonly windows: string;
}

/** What compare's settings must hold together. */
export const compareRules: readonly Rule<CompareValues>[] = [
  {
    of: ['windows'],
    problems({ teacherOf, scales, weights, windows }) {
      if (teacherOf !== undefined) return [];
      const given = [
        ...(scales === undefined ? [] : ['--scales']),
        ...(weights === undefined ? [] : ['--weights']),
        ...(windows === 'tiles' ? [] : ['--windows']),
      ];
      return given.map((flag) => `${flag} is a teacher's; it needs --teacher-of.`);
    },
  },
  {
    of: ['heatMax'],
    problems: ({ out }) => (out === undefined ? ['--heat-max is for heat maps; it needs --out.'] : []),
  },
];

/** Whether a path to write to is one archive, and not a folder. */
export function isArchive(out: string): boolean {
  return out.endsWith('.safetensors');
}

/** The format that `auto` stands for. */
export function tokenFormat({ out, format }: Pick<EncodeValues, 'out' | 'format'>): 'npy' | 'safetensors' {
  if (format !== 'auto') return format;
  return isArchive(out) ? 'safetensors' : 'npy';
}
