// Original file: proto/siglip_hd/v1/encoder.proto

export const AnswerSource = {
  ANSWER_SOURCE_UNSPECIFIED: 'ANSWER_SOURCE_UNSPECIFIED',
  ANSWER_SOURCE_HIT: 'ANSWER_SOURCE_HIT',
  ANSWER_SOURCE_JOINED: 'ANSWER_SOURCE_JOINED',
  ANSWER_SOURCE_MISS: 'ANSWER_SOURCE_MISS',
} as const;

export type AnswerSource =
  | 'ANSWER_SOURCE_UNSPECIFIED'
  | 0
  | 'ANSWER_SOURCE_HIT'
  | 1
  | 'ANSWER_SOURCE_JOINED'
  | 2
  | 'ANSWER_SOURCE_MISS'
  | 3

export type AnswerSource__Output = typeof AnswerSource[keyof typeof AnswerSource]
