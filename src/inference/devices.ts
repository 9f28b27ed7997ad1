import type { Device } from './worker-protocol.ts';

/** The devices that run the models. `deviceIds` count the CUDA devices that the process can see. */
export type Devices =
  | { readonly kind: 'cpu' }
  | { readonly kind: 'cuda'; readonly deviceIds: readonly number[] };

/** The name and the device of an engine. */
export interface EnginePlace {
  readonly name: string;
  readonly device: Device;
}

/** The places of a model's engines: so many on each device. */
export function enginePlaces(devices: Devices, enginesEach: number): readonly EnginePlace[] {
  const each: readonly Device[] =
    devices.kind === 'cpu'
      ? [{ kind: 'cpu' }]
      : devices.deviceIds.map((deviceId) => ({ kind: 'cuda', deviceId }) as const);
  return each.flatMap((device) => {
    const name = device.kind === 'cpu' ? 'cpu' : `cuda:${device.deviceId}`;
    return Array.from({ length: enginesEach }, (_, index) => ({
      name: enginesEach === 1 ? name : `${name}#${index}`,
      device,
    }));
  });
}
