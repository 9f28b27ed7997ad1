import { type ModelSource, servedName } from '../../model/model-source.ts';
import type { RemoteConfig } from '../../encoding/encoder-config.ts';
import { endpointUrl } from '../../inference/remote/endpoint.ts';
import type { engineSettings } from './engine-settings.ts';
import { readRemoteEngine } from './readers.ts';
import type { Rule } from './command.ts';
import { flagName, type Settings, type SettingValues } from './setting.ts';

/** Servers that run models in place of engines of this process. */
export const remoteSettings = {
  'remote-engine': {
    type: 'repeated',
    placeholder: '[NAME=]grpc[s]://HOST:PORT[/MODEL]',
    read: readRemoteEngine,
    description:
      'Server of the Open Inference Protocol (Triton, OpenVINO Model Server, MLServer, KServe) that runs the model NAME, ' +
      'which may be left out if one model is served. MODEL is its name on the server; NAME if left out. Repeat the flag for several ' +
      "servers, or separate them by commas in the variable; batches go to whichever is free. The model's folder then needs " +
      'no weights. grpcs is TLS. See docs/scaling.md.',
  },
  'remote-engine-batches': {
    type: 'integer',
    min: 1,
    max: 64,
    default: '1',
    needs: ['remote-engine'],
    description:
      "Batches that each of these servers runs at one time: the number of its model's instances. One more is sent ahead, so " +
      'that it is ready when a batch ends.',
  },
  'remote-engine-ca': {
    type: 'optional',
    placeholder: 'FILE',
    description:
      "PEM file with the authorities that sign these servers' certificates; the well-known ones by default. Files of remote " +
      'engines are read again with each connection.',
  },
  'remote-engine-cert': {
    type: 'optional',
    placeholder: 'FILE',
    needs: ['remote-engine-key'],
    description: 'PEM file with a certificate for servers that ask for one.',
  },
  'remote-engine-key': {
    type: 'optional',
    placeholder: 'FILE',
    needs: ['remote-engine-cert'],
    description: "PEM file with the certificate's private key.",
  },
  'remote-engine-token-file': {
    type: 'optional',
    placeholder: 'FILE',
    needs: ['remote-engine'],
    description:
      'File with a token that calls to these servers carry as `authorization: Bearer TOKEN`. Use grpcs with it: on grpc the ' +
      'network can read it.',
  },
} as const satisfies Settings;

export type RemoteValues = SettingValues<typeof remoteSettings>;

/** Rules of these settings. */
export const remoteRules: readonly Rule<
  RemoteValues & SettingValues<Pick<typeof engineSettings, 'model' | 'device' | 'engines' | 'share-weights'>>
>[] = [
  {
    of: ['remoteEngines'],
    problems({ models, remoteEngines }) {
      if (remoteEngines.length === 0) return [];
      if (models.length === 0)
        return ['--remote-engine needs --model: the model folder says what the server must give.'];
      const names = models.map(servedName);
      return remoteEngines.flatMap(({ model }) => {
        if (model === undefined) {
          return names.length === 1
            ? []
            : [
                `--remote-engine must name one of the models ${names.join(', ')}, as in NAME=grpc://HOST:PORT.`,
              ];
        }
        return names.includes(model)
          ? []
          : [`--remote-engine names the model "${model}"; the served models are ${names.join(', ')}.`];
      });
    },
  },
  {
    of: ['models', 'remoteEngines', 'device', 'engines'],
    problems({ models, remoteEngines, device, engines, shareWeights }) {
      const isRemote = (name: string) =>
        remoteEngines.some(({ model }) => model === name || (model === undefined && models.length === 1));
      if (models.length === 0 || !models.map(servedName).every(isRemote)) return [];
      const useless = [
        ...(device.kind === 'cpu' ? [] : ['--device cuda']),
        ...(engines === 1 ? [] : ['--engines']),
        ...(shareWeights ? ['--share-weights'] : []),
      ];
      return useless.map((flag) => `${flag} has no effect: remote engines run every model.`);
    },
  },
  {
    of: ['remoteEngines'],
    problems({ remoteEngines, ...values }) {
      if (remoteEngines.some(({ endpoint }) => endpoint.secure)) return [];
      const given = (['remoteEngineCa', 'remoteEngineCert', 'remoteEngineKey'] as const).filter(
        (name) => values[name] !== undefined,
      );
      return given.map((name) => `${flagName(name)} needs a --remote-engine of grpcs://.`);
    },
  },
  {
    of: ['remoteEngines'],
    problems({ remoteEngines }) {
      const urls = remoteEngines.map(({ model, endpoint }) => `${model ?? ''}=${endpointUrl(endpoint)}`);
      const repeated = new Set(remoteEngines.filter((_, index) => urls.indexOf(urls[index]!) < index));
      return [...repeated].map(
        ({ endpoint }) =>
          `--remote-engine names ${endpointUrl(endpoint)} twice; --remote-engine-batches runs several batches on a server.`,
      );
    },
  },
];

/** The servers that run models, as the encoder takes them. */
export function remoteConfig(
  values: RemoteValues & { readonly models: readonly ModelSource[] },
): RemoteConfig {
  const [only] = values.models;
  return {
    engines: values.remoteEngines.map(({ model, endpoint }) => ({
      model: model ?? servedName(only!),
      endpoint,
    })),
    access: {
      caFile: values.remoteEngineCa,
      certFile: values.remoteEngineCert,
      keyFile: values.remoteEngineKey,
      tokenFile: values.remoteEngineTokenFile,
    },
    parallel: values.remoteEngineBatches,
  };
}
