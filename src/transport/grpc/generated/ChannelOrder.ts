// Original file: proto/siglip_hd/v1/encoder.proto

export const ChannelOrder = {
  CHANNEL_ORDER_UNSPECIFIED: 'CHANNEL_ORDER_UNSPECIFIED',
  CHANNEL_ORDER_TORCH: 'CHANNEL_ORDER_TORCH',
  CHANNEL_ORDER_INTERNVL: 'CHANNEL_ORDER_INTERNVL',
} as const;

export type ChannelOrder =
  | 'CHANNEL_ORDER_UNSPECIFIED'
  | 0
  | 'CHANNEL_ORDER_TORCH'
  | 1
  | 'CHANNEL_ORDER_INTERNVL'
  | 2

export type ChannelOrder__Output = typeof ChannelOrder[keyof typeof ChannelOrder]
