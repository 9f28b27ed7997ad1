import type { Size } from '../../recipes/plan.ts';
import type { FileHeader } from './file-header.ts';

/**
 * Reads a JPEG's segments up to its first scan (ITU T.81, B.2). As in Pillow, several EXIF segments make up one block,
 * and the last XMP segment counts. The size is undefined if the segments are irregular, or the colours are not one or
 * three.
 */
export function readJpegHeader(file: Buffer): FileHeader {
  const exif: Buffer[] = [];
  let xmp: Buffer | undefined;
  const frames: Buffer[] = [];
  let isRegular = true;
  let hasScan = false;
  for (const { marker, content, follows } of segmentsOf(file)) {
    isRegular &&= follows;
    if (marker === startOfScan) {
      hasScan = true;
      break;
    }
    if (isFrame(marker)) frames.push(content);
    if (marker !== app1) continue;
    if (startsWith(content, exifStart) && exif.length < maxExifSegments) {
      exif.push(exif.length === 0 ? content : content.subarray(exifStart.length));
    } else if (startsWith(content, xmpStart)) {
      xmp = content.subarray(xmpStart.length);
    }
  }
  const isPlain = isRegular && hasScan && frames.length === 1;
  return {
    size: isPlain ? frameSize(frames[0]!) : undefined,
    exif: exif.length > 1 ? Buffer.concat(exif) : exif[0],
    xmp,
  };
}

const startOfScan = 0xda;
const app1 = 0xe1;
const exifStart = Buffer.from('Exif\0\0', 'latin1');
const xmpStart = Buffer.from('http://ns.adobe.com/xap/1.0/\0', 'latin1');
/** Bounds what is copied: 1 MiB, where one segment of at most 64 KiB is usual. */
const maxExifSegments = 16;
/** Bounds the work on the calling thread. A photograph has some ten segments. */
const maxSegments = 4096;

interface Segment {
  readonly marker: number;
  /** What follows the length. */
  readonly content: Buffer;
  /** Whether it starts where the segment before it ends. */
  readonly follows: boolean;
}

/** Skips bytes between segments and markers without a length, as Pillow does. */
function* segmentsOf(file: Buffer): Generator<Segment> {
  let end = 2;
  let at = end;
  for (let steps = 0; steps < maxSegments; steps++) {
    at = file.indexOf(0xff, at);
    if (at === -1 || at + 4 > file.length) return;
    const marker = file[at + 1]!;
    if (marker === 0xff) {
      at += 1;
    } else if (hasNoLength(marker)) {
      at += 2;
    } else {
      const next = at + 2 + Math.max(file.readUInt16BE(at + 2), 2);
      if (marker < 0xc0 || next > file.length) return;
      yield { marker, content: file.subarray(at + 4, next), follows: at === end };
      end = next;
      at = next;
    }
  }
}

/** A stuffed zero, and the markers JPG, RST0 to RST7, SOI, EOI and JPG0 to JPG13. */
function hasNoLength(marker: number): boolean {
  return (
    marker === 0 ||
    marker === 0xc8 ||
    (marker >= 0xd0 && marker <= 0xd9) ||
    (marker >= 0xf0 && marker <= 0xfd)
  );
}

/** SOF0 to SOF15, without DHT, JPG and DAC, which lie among them. */
function isFrame(marker: number): boolean {
  return marker >= 0xc0 && marker <= 0xcf && ![0xc4, 0xc8, 0xcc].includes(marker);
}

function frameSize(frame: Buffer): Size | undefined {
  if (frame.length < 6) return undefined;
  const [height, width, colours] = [frame.readUInt16BE(1), frame.readUInt16BE(3), frame[5]];
  const isPlain = width > 0 && height > 0 && (colours === 1 || colours === 3);
  return isPlain ? { width, height } : undefined;
}

function startsWith(bytes: Buffer, start: Buffer): boolean {
  return bytes.subarray(0, start.length).equals(start);
}
