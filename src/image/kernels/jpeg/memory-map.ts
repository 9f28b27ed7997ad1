// Where the JPEG decoder keeps what, in bytes. What depends on the picture's width follows at `pictureAddress`; see
// ../jpeg.ts.

/** Below lies the module's static data. */
export const mapAddress: usize = 2048;

/** Three tables, one for each component, at multiples of their size: see huffman.ts. */
export const dequantiseAddress: usize = mapAddress;
export const dequantiseBytes: usize = 512;

/** The DC tables 0 to 3, then the AC tables 0 to 3: see huffman.ts. */
export const huffmanAddress: usize = dequantiseAddress + 3 * dequantiseBytes;
export const huffmanBytes: usize = 5376;

/** What the blocks of an MCU have in common with those of other MCUs: see units.ts. */
export const unitsAddress: usize = huffmanAddress + 8 * huffmanBytes;
export const unitBytes: usize = 32;
export const mostUnits: usize = 6;

/** MCUs decoded at a time. Smaller batches switch between decoding and the inverse DCT more often. */
export const batchMcus: i32 = 16;
const batchBlocks: usize = <usize>batchMcus * mostUnits;

/** Of each block of a batch: the bitwise or of the offsets of its coefficients (u32). */
export const recordsAddress: usize = unitsAddress + mostUnits * unitBytes;
export const recordBytes: usize = 4;

/** Of each block of a batch 64 coefficients, int16, row by row, all 0 between batches. */
export const blocksAddress: usize = recordsAddress + batchBlocks * recordBytes;
export const blockBytes: usize = 128;
export const blocksBytes: usize = batchBlocks * blockBytes;
/** A block between the two passes of the inverse DCT. */
export const workAddress: usize = blocksAddress + blocksBytes;

/** A piece of the file. */
export const inputAddress: usize = workAddress + blockBytes;
export const inputBytes: usize = 32_768;

/** More than one MCU takes: 6 blocks of 64 coefficients, of at most 16 bits of code and 11 of value. */
export const mcuBytes: usize = 2048;

/** The bit stream; its reader may look up to an MCU below. */
export const streamAddress: usize = inputAddress + inputBytes + mcuBytes + 64;
export const streamEnd: usize = streamAddress + inputBytes + mcuBytes + 64;

export const pictureAddress: usize = streamEnd + 64;
