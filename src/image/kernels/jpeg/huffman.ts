// Huffman decoding of the blocks of a sequential JPEG (ITU T.81, F.2.2), with the rules of libjpeg-turbo's jdhuff.c.
// What is not in order is refused, even where libjpeg-turbo would go on.
import { bitCount, bits, nextAddress, setBits } from './bit-stream.ts';
import {
  blockAddress,
  dequantiseAddress,
  dequantiseBytes,
  huffmanAddress,
  huffmanBytes,
} from './memory-map.ts';

// A Huffman table has an entry (u32) for each value of the next `lookBits` bits, then, for codes longer than that, an
// entry for each symbol, and by length, u32, from 0: the end of its codes as 16 bits, and its first symbol less its
// first code.
const lookBits: u32 = 10;
const symbolsAt: usize = 4 << lookBits;
const limitsAt: usize = symbolsAt + 256 * 4;
const offsetsAt: usize = limitsAt + 17 * 4;

// An entry has, from bit 0, six bits each: the bits of code and value, the bits of code, and 64 less the bits of value;
// then 4 bits of zeros to skip. Specials have the sign and the bits of code, and lack a value.
const special: u32 = 0x8000_0000;
const zeroRun: u32 = 0x4000_0000;
const longCode: u32 = 0x2000_0000;
const noCode: u32 = 0x1000_0000;

const mostDcBits: u32 = 11;
const mostAcBits: u32 = 10;

export function huffmanTable(slot: i32): usize {
  return huffmanAddress + <usize>slot * huffmanBytes;
}

/**
 * Builds the table at `slot` from a DHT segment's 16 counts and its symbols at `source`. Slots 0 to 3 are for DC. False
 * if libjpeg-turbo would refuse the table.
 */
export function buildHuffmanTable(slot: i32, source: usize): bool {
  const isDc = slot < 4;
  const table = huffmanTable(slot);
  for (let look: usize = 0; look < 1 << lookBits; look++) store<u32>(table + (look << 2), special | noCode);
  let code: u32 = 0;
  let symbols: u32 = 0;
  for (let length: u32 = 1; length <= 16; length++) {
    const count: u32 = load<u8>(source + length - 1);
    if (symbols + count > 256 || (count > 0 && code + count >= 1 << length)) return false;
    store<u32>(table + offsetsAt + (length << 2), symbols - code);
    for (const end = symbols + count; symbols < end; symbols++, code++) {
      const symbol: u32 = load<u8>(source + 16 + symbols);
      if (isDc && symbol > 15) return false;
      const entry = isDc ? dcEntry(symbol, length) : acEntry(symbol, length);
      store<u32>(table + symbolsAt + (symbols << 2), entry);
      fillLookUp(table, code, length, entry);
    }
    store<u32>(table + limitsAt + (length << 2), code << (16 - length));
    code <<= 1;
  }
  return true;
}

function fillLookUp(table: usize, code: u32, length: u32, entry: u32): void {
  if (length > lookBits) {
    store<u32>(table + ((code >> (length - lookBits)) << 2), special | longCode);
    return;
  }
  const first = code << (lookBits - length);
  const end = (code + 1) << (lookBits - length);
  for (let look = first; look < end; look++) store<u32>(table + (look << 2), entry);
}

function dcEntry(size: u32, length: u32): u32 {
  if (size > mostDcBits) return special | noCode;
  return size === 0 ? special | length : valueEntry(size, length);
}

function acEntry(symbol: u32, length: u32): u32 {
  const size = symbol & 15;
  const zeros = symbol >> 4;
  if (size > mostAcBits) return special | noCode;
  if (size > 0) return valueEntry(size, length) | (zeros << 18);
  if (zeros === 15) return special | zeroRun | length;
  return zeros === 0 ? special | length : special | noCode;
}

function valueEntry(size: u32, length: u32): u32 {
  return (length + size) | (length << 6) | ((64 - size) << 12);
}

/** The entry of a code longer than `lookBits` at the top of `stream`. */
function longEntry(table: usize, stream: u64): u32 {
  const next = <u32>(stream >> 48);
  for (let length: u32 = lookBits + 1; length <= 16; length++) {
    if (next >= load<u32>(table + limitsAt + (length << 2))) continue;
    const symbol = (next >> (16 - length)) + load<u32>(table + offsetsAt + (length << 2));
    return load<u32>(table + symbolsAt + ((symbol & 255) << 2));
  }
  return special | noCode;
}

/**
 * Prepares a component's factors from the 64 bytes of a DQT segment at `source`. Each entry (u32), in the order of the
 * zigzag `order`, has the factor and, in the upper half, the offset of its coefficient in a block. As in libjpeg-turbo
 * (jutils.c), 16 more entries catch runs past the end, which decodeBlock reports.
 */
export function setFactors(component: i32, source: usize, order: usize): void {
  const table = dequantiseAddress + <usize>component * dequantiseBytes;
  for (let k: usize = 0; k < 80; k++) {
    const at: u32 = k < 64 ? load<u8>(order + k) : 63;
    const factor: u32 = k < 64 ? load<u8>(source + k) : 0;
    store<u32>(table + (k << 2), factor | (at << 17));
  }
}

/** Takes the value of an entry's bits from a stream: ITU T.81's EXTEND. */
function valueOf(entry: u32, stream: u64): i32 {
  const rest = stream << ((entry >> 6) & 63);
  const flip = ~(<i64>rest >> 63);
  return <i32>(((<u64>(<i64>rest ^ flip) >> ((entry >> 12) & 63)) ^ flip) - flip);
}

/** The DC coefficient of the block that decodeBlock decoded last, before its factor. */
export let lastDc: i32 = 0;

/**
 * Decodes the next block, whose DC coefficient is relative to `previousDc`. Writes its AC coefficients, multiplied by
 * their factors modulo 2^16, into the block's memory. Returns the bitwise or of their offsets there, or -1 if the code
 * is not in order. May read past the stream's end.
 */
export function decodeBlock(dcTable: usize, acTable: usize, component: i32, previousDc: i32): i32 {
  const factors = dequantiseAddress + <usize>component * dequantiseBytes;
  let stream = bits;
  let count = bitCount;
  let next = nextAddress;

  stream |= load<u64>(next) >> count;
  next -= <usize>((63 - count) >> 3);
  count |= 56;
  let entry = load<u32>(dcTable + ((<usize>(stream >> <u64>(64 - lookBits))) << 2));
  if ((entry & longCode) !== 0) entry = longEntry(dcTable, stream);
  if ((entry & noCode) !== 0) return -1;
  if (<i32>entry >= 0) previousDc += valueOf(entry, stream);
  if (previousDc !== <i32>(<i16>previousDc)) return -1;
  lastDc = previousDc;
  stream <<= entry & 63;
  count -= entry & 63;

  let offsets: u32 = 0;
  let at = factors + 4;
  const end = factors + 64 * 4;
  while (at < end) {
    stream |= load<u64>(next) >> count;
    next -= <usize>((63 - count) >> 3);
    count |= 56;
    entry = load<u32>(acTable + ((<usize>(stream >> <u64>(64 - lookBits))) << 2));
    if (<i32>entry < 0) {
      if ((entry & longCode) !== 0) entry = longEntry(acTable, stream);
      if (<i32>entry < 0) {
        if ((entry & noCode) !== 0) return -1;
        stream <<= entry & 63;
        count -= entry & 63;
        if ((entry & zeroRun) === 0) break;
        at += 16 * 4;
        continue;
      }
    }
    const value = valueOf(entry, stream);
    stream <<= entry & 63;
    count -= entry & 63;
    at += ((entry >> 18) & 15) << 2;
    const factor = load<u32>(at);
    const offset = factor >> 16;
    store<i16>(blockAddress + offset, value * <i32>(factor & 0xffff));
    offsets |= offset;
    at += 4;
  }
  setBits(stream, count, next);
  return at > end ? -1 : <i32>offsets;
}
