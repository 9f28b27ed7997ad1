// Huffman decoding of the blocks of a sequential JPEG (ITU T.81, F.2.2), with the rules of libjpeg-turbo's jdhuff.c.
// What is not in order is refused, even where libjpeg-turbo would go on.
import { bitCount, bits, isWithinSegment, mayLackMcu, nextAddress, setBits } from './bit-stream.ts';
import {
  blockBytes,
  blocksAddress,
  dequantiseAddress,
  dequantiseBytes,
  huffmanAddress,
  huffmanBytes,
  recordBytes,
  recordsAddress,
  unitBytes,
  unitsAddress,
} from './memory-map.ts';
import { acTableOf, dcTableOf, factorsOf, unitsEnd } from './units.ts';

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

// Behind a component's factors lies the DC coefficient of its last block, before its factor (i32).
const predictionAt: usize = 80 * 4;

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

/** A class for its decorator alone: see inverse-dct.ts. A call or a loop would cost decodeMcus registers. */
class LongCode {
  /** The entry of the code at the start of the stream, which is longer than `lookBits` (11 bits or more). */
  @inline
  static entry(table: usize, stream: u64): u32 {
    const next = <u32>(stream >> 48);
    const limits = table + limitsAt;
    if (next >= load<u32>(limits, 16 * 4)) return special | noCode;
    const length =
      11 +
      u32(next >= load<u32>(limits, 11 * 4)) +
      u32(next >= load<u32>(limits, 12 * 4)) +
      u32(next >= load<u32>(limits, 13 * 4)) +
      u32(next >= load<u32>(limits, 14 * 4)) +
      u32(next >= load<u32>(limits, 15 * 4));
    const symbol = (next >> (16 - length)) + load<u32>(table + offsetsAt + (length << 2));
    return load<u32>(table + symbolsAt + ((symbol & 255) << 2));
  }
}

export function factorTable(component: i32): usize {
  return dequantiseAddress + <usize>component * dequantiseBytes;
}

/** Makes the components' next blocks independent of those before. */
export function forgetDc(): void {
  for (let component = 0; component < 3; component++) store<i32>(factorTable(component), 0, predictionAt);
}

/**
 * Prepares a component's factors from the 64 bytes of a DQT segment at `source`. Each entry (u32), in the order of the
 * zigzag `order`, has the factor and, in the upper half, the offset of its coefficient in a block. As in libjpeg-turbo
 * (jutils.c), 16 more entries catch runs past the end, which decodeMcus reports.
 */
export function setFactors(component: i32, source: usize, order: usize): void {
  const table = factorTable(component);
  for (let k: usize = 0; k < 80; k++) {
    const at: u32 = k < 64 ? load<u8>(order + k) : 63;
    const factor: u32 = k < 64 ? load<u8>(source + k) : 0;
    store<u32>(table + (k << 2), factor | (at << 17));
  }
}

/** Takes the value of an entry's bits from a stream: ITU T.81's EXTEND. A shift takes the lower six bits of its count. */
function valueOf(entry: u32, stream: u64): i32 {
  const rest = stream << (<u64>(entry >> 6));
  const flip = ~(<i64>rest >> 63);
  return <i32>(((<u64>(<i64>rest ^ flip) >> <u64>(entry >> 12)) ^ flip) - flip);
}

function lookUp(table: usize, stream: u64): u32 {
  return load<u32>(table + ((<usize>(stream >> <u64>(64 - lookBits))) << 2));
}

/**
 * Decodes the next MCUs, `most` at most, into the records and the blocks of a batch. Coefficients are multiplied by their
 * factors modulo 2^16. Returns how many there are, or -1 if the code is not in order. May read past the stream's end.
 * The first MCU must be in the stream: see hasMcu.
 *
 * The next entry is looked up before the stream gets more bits, so that the one need not wait for the other: the stream
 * always has the bits of a look-up left over.
 *
 * Only the lower six bits of `count`, those that a shift takes, are right while a block is decoded. So a whole entry can be
 * subtracted, whose lower six bits are those of code and value. To refill, 7 - count / 8 bytes are added: 56 + count % 8 bits.
 */
export function decodeMcus(most: i32): i32 {
  let stream = bits;
  let count = bitCount;
  let next = nextAddress;
  let block = blocksAddress;
  let record = recordsAddress;
  const end = unitsEnd;
  for (let mcu = 0; mcu < most; mcu++) {
    if (mcu > 0 && mayLackMcu(next)) {
      most = mcu;
      break;
    }
    for (let unit = unitsAddress; unit < end; unit += unitBytes) {
      stream |= load<u64>(next) >> count;
      next -= <usize>((63 - count) >> 3);
      count |= 56;
      const dcTable = dcTableOf(unit);
      let entry = lookUp(dcTable, stream);
      if ((entry & longCode) !== 0) entry = LongCode.entry(dcTable, stream);
      if ((entry & noCode) !== 0) return -1;
      const factors = factorsOf(unit);
      let dc = load<i32>(factors, predictionAt);
      // A difference of 0 has no bits of value. Tested for, it would be mispredicted often.
      dc += valueOf(entry, stream) & ~(<i32>entry >> 31);
      if (dc !== <i32>(<i16>dc)) return -1;
      store<i32>(factors, dc, predictionAt);
      stream <<= <u64>entry;
      count -= <u64>entry;

      const acTable = acTableOf(unit);
      store<i16>(block, dc * <i32>load<u16>(factors));
      let offsets: u32 = 0;
      let at = factors + 4;
      while ((at & 256) === 0) {
        entry = lookUp(acTable, stream);
        stream |= load<u64>(next) >> count;
        next -= <usize>((~count >> 3) & 7);
        count |= 56;
        if (<i32>entry < 0) {
          if ((entry & longCode) !== 0) entry = LongCode.entry(acTable, stream);
          if (<i32>entry < 0) {
            if ((entry & noCode) !== 0) return -1;
            stream <<= <u64>entry;
            count -= <u64>entry;
            if ((entry & zeroRun) === 0) break;
            at += 16 * 4;
            continue;
          }
        }
        at += (entry >> 16) & 60;
        const factor = load<u32>(at);
        store<i16>(block + (factor >> 16), valueOf(entry, stream) * <i32>factor);
        stream <<= <u64>entry;
        count -= <u64>entry;
        offsets |= factor;
        at += 4;
      }
      if ((at & 511) > 256) return -1;
      store<u32>(record, offsets >> 16);
      count &= 63;
      block += blockBytes;
      record += recordBytes;
    }
    if (!isWithinSegment(next, count)) return -1;
  }
  setBits(stream, count, next);
  return most;
}
