// Decodes sequential JPEGs of one or three components to RGB, to the bit as libjpeg-turbo does, in WebAssembly SIMD
// (AssemblyScript). ../jpeg.ts calls it, and says which files come here.
//
// The file comes in pieces and the picture goes in strips, so that memory depends on the width alone. All addresses are the
// kernel's own; nothing in a file is used as one unchecked.
import { endSegment, hasMcu, inputRead, setInput, startStream } from './jpeg/bit-stream.ts';
import { rgbOfGrey, rgbOfYcc } from './jpeg/colour.ts';
import {
  buildHuffmanTable,
  decodeMcus,
  factorTable,
  forgetDc,
  huffmanTable,
  setFactors,
} from './jpeg/huffman.ts';
import { inverseDct } from './jpeg/inverse-dct.ts';
import {
  batchMcus,
  blockBytes,
  blocksAddress,
  blocksBytes,
  dequantiseAddress,
  dequantiseBytes,
  inputAddress,
  inputBytes,
  mapAddress,
  pictureAddress,
  recordBytes,
  recordsAddress,
  unitBytes,
  unitsAddress,
} from './jpeg/memory-map.ts';
import { turnRows } from './jpeg/turn.ts';
import {
  addUnit,
  clearUnits,
  componentOf,
  setTables,
  stepOf,
  strideOf,
  targetOf,
  unitsEnd,
} from './jpeg/units.ts';
import { addRows, copyRow, narrow, widen } from './jpeg/upsample.ts';

export { buildHuffmanTable, inputRead, setFactors, setInput };

let width: i32 = 0;
let height: i32 = 0;
let components: i32 = 0;
/** How many times as wide and as high as the chroma the picture is: 1 or 2. */
let across: i32 = 1;
let down: i32 = 1;
let restartInterval: i32 = 0;

let mcusAcross: i32 = 0;
let mcusDown: i32 = 0;
let mcuColumn: i32 = 0;
let mcuRow: i32 = 0;
let mcusToRestart: i32 = 0;
let restarts: i32 = 0;

// A component's plane holds a row of MCUs, below the last row of samples of the MCUs before.
let lumaStride: usize = 0;
let chromaStride: usize = 0;
let lumaPlane: usize = 0;
let cbPlane: usize = 0;
let crPlane: usize = 0;
/** Rows of chroma as wide as the picture. */
let cbRow: usize = 0;
let crRow: usize = 0;
let sumsRow: usize = 0;
let strip: usize = 0;
let turnedStrip: usize = 0;
let stripHeight: i32 = 0;
let stripStart: i32 = 0;
let stripEnd: i32 = 0;

export function piece(): usize {
  return inputAddress;
}
export function pieceBytes(): usize {
  return inputBytes;
}
/** The strip's first row. */
export function stripFirst(): i32 {
  return stripStart;
}
export function stripRows(): i32 {
  return stripEnd - stripStart;
}

/**
 * Starts a picture with chroma, if it has 3 components rather than 1, of 1/across x 1/down of its size. Strips get at least
 * `rows` rows, but for the last one. False if there is no memory. Tables are built after this.
 */
export function start(
  pictureWidth: i32,
  pictureHeight: i32,
  componentCount: i32,
  acrossFactor: i32,
  downFactor: i32,
  interval: i32,
  rows: i32,
): bool {
  width = pictureWidth;
  height = pictureHeight;
  components = componentCount;
  across = acrossFactor;
  down = downFactor;
  restartInterval = interval;
  stripHeight = rows;
  mcusAcross = (width + 8 * across - 1) / (8 * across);
  mcusDown = (height + 8 * down - 1) / (8 * down);
  mcuColumn = 0;
  mcuRow = 0;
  restarts = 0;
  stripStart = 0;
  stripEnd = 0;

  lumaStride = <usize>(mcusAcross * 8 * across);
  chromaStride = <usize>(mcusAcross * 8);
  let end = pictureAddress;
  lumaPlane = end;
  end += lumaStride * <usize>(8 * down + 1) + 64;
  cbPlane = end;
  end += chromaStride * 9 + 64;
  crPlane = end;
  end += chromaStride * 9 + 64;
  cbRow = end;
  end += lumaStride + 64;
  crRow = end;
  end += lumaStride + 64;
  sumsRow = end + 64;
  end = sumsRow + (chromaStride << 1) + 128;
  const stripBytes = <usize>width * 3 * <usize>(min(rows, height) + 8 * down + 1) + 64;
  strip = end;
  turnedStrip = strip + stripBytes;
  end = turnedStrip + stripBytes;
  // Decided when the kernel is compiled. decodeMcus tells by bit 8 of an address that it is past the 256 bytes of 64 factors.
  if (__heap_base > mapAddress || dequantiseAddress % 512 !== 0 || dequantiseBytes % 512 !== 0) unreachable();
  const missing = <i32>((end + 0xffff) >> 16) - memory.size();
  if (missing > 0 && memory.grow(missing) < 0) return false;
  startInterval();
  startStream();
  addUnits();
  memory.fill(blocksAddress, 0, blocksBytes);
  return true;
}

function addUnits(): void {
  clearUnits();
  for (let y: usize = 0; y < <usize>down; y++) {
    for (let x: usize = 0; x < <usize>across; x++) {
      addUnit(0, lumaPlane + lumaStride + (y << 3) * lumaStride + (x << 3), lumaStride, <usize>(8 * across));
    }
  }
  if (components === 1) return;
  addUnit(1, cbPlane + chromaStride, chromaStride, 8);
  addUnit(2, crPlane + chromaStride, chromaStride, 8);
}

/** Chooses the tables of a component: `dc` and `ac` are 0 to 3. */
export function chooseTables(component: i32, dc: i32, ac: i32): void {
  for (let unit = unitsAddress; unit < unitsEnd; unit += unitBytes) {
    if (componentOf(unit) !== component) continue;
    setTables(unit, huffmanTable(dc & 3), huffmanTable(4 + (ac & 3)), factorTable(component));
  }
}

/**
 * Decodes up to the next strip. 0 if that takes more of the file: what inputRead leaves of the last piece, and what
 * follows. 1 if there is a strip; 2 if it is the last one; -1 if the file is not in order.
 */
export function advance(): i32 {
  if (stripEnd - stripStart >= stripHeight) stripStart = stripEnd;
  while (mcuRow < mcusDown) {
    const state = decodeRow();
    if (state <= 0) return state;
    mcuColumn = 0;
    mcuRow++;
    const isLast = mcuRow === mcusDown;
    if (isLast && !endSegment(0xd9)) return -1;
    extendStrip(isLast);
    if (isLast) return 2;
    if (stripEnd - stripStart >= stripHeight) return 1;
  }
  return -1;
}

/** Turns the strip: see turnRows. Returns the address of its pixels. */
export function turnStrip(swaps: bool, right: bool, bottom: bool): usize {
  if (!swaps && !right && !bottom) return strip;
  turnRows(strip, turnedStrip, width, stripEnd - stripStart, swaps, right, bottom);
  return turnedStrip;
}

/** Decodes the rest of a row of MCUs. As advance returns 0 or -1; 1 once it is done. */
function decodeRow(): i32 {
  while (mcuColumn < mcusAcross) {
    if (mcusToRestart === 0) {
      if (!endSegment(0xd0 + (restarts & 7))) return -1;
      restarts++;
      startInterval();
    }
    if (!hasMcu()) return 0;
    const most = min(mcusAcross - mcuColumn, batchMcus);
    const decoded = decodeMcus(mcusToRestart > 0 ? min(most, mcusToRestart) : most);
    if (decoded < 0) return -1;
    transform(decoded);
    mcusToRestart -= decoded;
    mcuColumn += decoded;
  }
  return 1;
}

function startInterval(): void {
  mcusToRestart = restartInterval > 0 ? restartInterval : -1;
  forgetDc();
}

/** Makes the samples of the batch's MCUs. */
function transform(mcus: i32): void {
  const units = (unitsEnd - unitsAddress) / unitBytes;
  for (let unit: usize = 0; unit < units; unit++) {
    const at = unitsAddress + unit * unitBytes;
    const step = stepOf(at);
    let target = targetOf(at) + <usize>mcuColumn * step;
    let block = blocksAddress + unit * blockBytes;
    let record = recordsAddress + unit * recordBytes;
    for (let mcu = 0; mcu < mcus; mcu++) {
      inverseDct(block, load<u32>(record), target, strideOf(at));
      target += step;
      block += units * blockBytes;
      record += units * recordBytes;
    }
  }
}

/**
 * Adds the rows of the picture for which there is all chroma: where two rows of chroma make one, those from the last
 * one of the MCUs before.
 */
function extendStrip(isLast: bool): void {
  const end = mcuRow * 8 * down;
  const first = end - 8 * down;
  const from = stripEnd;
  stripEnd = isLast ? height : end - (down - 1);
  let target = strip + <usize>((from - stripStart) * width * 3);
  for (let y = from; y < stripEnd; y++) {
    const luma = lumaPlane + <usize>(y - first + 1) * lumaStride;
    if (components === 1) rgbOfGrey(luma, target, width);
    else makeRow(y, first / down - 1, luma, target);
    target += <usize>(width * 3);
  }
  if (down === 1) return;
  memory.copy(lumaPlane, lumaPlane + lumaStride * 16, lumaStride);
  memory.copy(cbPlane, cbPlane + chromaStride * 8, chromaStride);
  memory.copy(crPlane, crPlane + chromaStride * 8, chromaStride);
}

/** Makes a row of the picture. `firstChroma` is the number of the planes' first row of chroma. */
function makeRow(y: i32, firstChroma: i32, luma: usize, target: usize): void {
  const near = y / down;
  let far = near;
  if (down === 2) {
    const last = (height + 1) / 2 - 1;
    far = (y & 1) === 0 ? max(near - 1, 0) : min(near + 1, last);
  }
  const nearOffset = <usize>(near - firstChroma) * chromaStride;
  if (across === 1 && down === 1) {
    rgbOfYcc(luma, cbPlane + nearOffset, crPlane + nearOffset, target, width);
    return;
  }
  const farOffset = <usize>(far - firstChroma) * chromaStride;
  const isOdd = (y & 1) !== 0;
  upsample(cbPlane + nearOffset, cbPlane + farOffset, isOdd, cbRow);
  upsample(crPlane + nearOffset, crPlane + farOffset, isOdd, crRow);
  rgbOfYcc(luma, cbRow, crRow, target, width);
}

/** The biases alternate so that halves are rounded up as often as down. */
function upsample(near: usize, far: usize, isOdd: bool, target: usize): void {
  const chromaWidth = (width + across - 1) / across;
  if (down === 1) {
    copyRow(near, sumsRow, chromaWidth);
    widen(sumsRow, target, chromaWidth, 1, 2, 2);
    return;
  }
  addRows(near, far, sumsRow, chromaWidth);
  if (across === 2) widen(sumsRow, target, chromaWidth, 8, 7, 4);
  else narrow(sumsRow, target, chromaWidth, isOdd ? 2 : 1, 2);
}
