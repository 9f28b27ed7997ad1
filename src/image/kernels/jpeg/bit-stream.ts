// The bits of an entropy-coded segment: what lies between two markers, without the zeros stuffed after 0xFF
// (ITU T.81, B.1.1.5 and F.1.2.3).
//
// The segment is unstuffed into the stream buffer in reverse: the first byte lies at the highest address. So a
// little-endian load of 8 bytes has the next bytes of the segment with the first one on top.
import { inputAddress, mcuBytes, streamAddress, streamEnd } from './memory-map.ts';

/** The next bits, the first one on top; those below the upper `bitCount` are true or 0. */
export let bits: u64 = 0;
export let bitCount: u64 = 0;
/** The 8 bytes that follow the bits. */
export let nextAddress: usize = 0;

/** The stream's last byte so far. */
let lastAddress: usize = 0;
let inputAt: usize = 0;
let inputEnd: usize = 0;
/** The marker that ended the segment; 0 while none has. */
let endMarker: i32 = 0;

export function setBits(value: u64, count: u64, next: usize): void {
  bits = value;
  bitCount = count;
  nextAddress = next;
}

export function startStream(): void {
  inputAt = inputAddress;
  inputEnd = inputAddress;
  startSegment();
}

function startSegment(): void {
  setBits(0, 0, streamEnd - 8);
  lastAddress = streamEnd;
  endMarker = 0;
}

/** Takes a piece of the file, `sizeBytes` of it at the input's address, instead of the piece before. */
export function setInput(sizeBytes: usize): void {
  inputAt = inputAddress;
  inputEnd = inputAddress + sizeBytes;
}

/** How much of the piece of the file has been read. */
export function inputRead(): usize {
  return inputAt - inputAddress;
}

/** Bits that are left; negative if more have been read than there are. */
function bitsLeft(next: usize, count: u64): i64 {
  return ((<i64>(next + 8) - <i64>lastAddress) << 3) + <i64>count;
}

/** Whether the segment's bits have not run out. */
export function isWithinSegment(next: usize, count: u64): bool {
  return bitsLeft(next, count) >= 0;
}

/** Whether the stream may have less than an MCU, and more of it may come. */
export function mayLackMcu(next: usize): bool {
  return endMarker === 0 && next + 8 < lastAddress + mcuBytes;
}

/** Makes sure that the stream has a whole MCU, or all the rest of the segment. False if that takes more input. */
export function hasMcu(): bool {
  if (!mayLackMcu(nextAddress)) return true;
  const unread = nextAddress + 8 - lastAddress;
  memory.copy(streamEnd - unread, lastAddress, unread);
  nextAddress += streamEnd - unread - lastAddress;
  lastAddress = streamEnd - unread;
  unstuff();
  return !mayLackMcu(nextAddress);
}

/**
 * Whether the segment has been read to its end, where fewer than 8 bits pad the last byte, and `marker` follows. Then the
 * next segment starts behind it.
 */
export function endSegment(marker: i32): bool {
  const left = bitsLeft(nextAddress, bitCount);
  if (endMarker !== marker || left < 0 || left > 7) return false;
  startSegment();
  return true;
}

/** Appends the input to the stream, up to and with the next marker. Leaves a 0xFF at the end of the input. */
function unstuff(): void {
  const reversed = i8x16(15, 14, 13, 12, 11, 10, 9, 8, 7, 6, 5, 4, 3, 2, 1, 0);
  const ones = i8x16.splat(-1);
  let at = inputAt;
  let to = lastAddress;
  while (at < inputEnd) {
    while (at + 16 <= inputEnd) {
      const piece = v128.load(at);
      const stuffed = i8x16.bitmask(i8x16.eq(piece, ones));
      // What is written beyond the bytes before a 0xFF is written again.
      v128.store(to - 16, i8x16.swizzle(piece, reversed));
      if (stuffed === 0) {
        at += 16;
        to -= 16;
      } else {
        const before = <usize>ctz(stuffed);
        at += before;
        to -= before;
        break;
      }
    }
    if (at === inputEnd) break;
    const byte = load<u8>(at);
    if (byte === 0xff) {
      if (at + 1 === inputEnd) break;
      const follower = load<u8>(at, 1);
      if (follower !== 0) {
        endMarker = follower;
        at += 2;
        break;
      }
      at += 2;
    } else {
      at += 1;
    }
    to -= 1;
    store<u8>(to, byte);
  }
  inputAt = at;
  lastAddress = to;
}
