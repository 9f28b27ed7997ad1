// Where the JPEG decoder keeps what, in bytes. Nothing else lies in its memory: the module has no static data.
// What depends on the picture's width follows at `pictureAddress`; see ../jpeg.ts.

/** Three tables, one for each component: see huffman.ts. */
export const dequantiseAddress: usize = 0;
export const dequantiseBytes: usize = 80 * 4;

/** The DC tables 0 to 3, then the AC tables 0 to 3: see huffman.ts. */
export const huffmanAddress: usize = 1024;
export const huffmanBytes: usize = 5376;

/** The 64 coefficients of one block, int16, row by row, all 0 between blocks. */
export const blockAddress: usize = huffmanAddress + 8 * huffmanBytes;
/** Another 64 of them. */
export const workAddress: usize = blockAddress + 128;

/** A piece of the file. */
export const inputAddress: usize = workAddress + 128;
export const inputBytes: usize = 32_768;

/** More than one MCU takes: 6 blocks of 64 coefficients, of at most 16 bits of code and 11 of value. */
export const mcuBytes: usize = 2048;

/** The bit stream; its reader may look up to an MCU below. */
export const streamAddress: usize = inputAddress + inputBytes + mcuBytes + 64;
export const streamEnd: usize = streamAddress + inputBytes + mcuBytes + 64;

export const pictureAddress: usize = streamEnd + 64;
