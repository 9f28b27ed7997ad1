export { varint } from './protobuf.ts';
