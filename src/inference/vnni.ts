import { readFileSync } from 'node:fs';

/**
 * Whether this x86 CPU multiplies int8 with VNNI instructions, which add the products in 32 bits. Without them ONNX
 * Runtime's fastest kernels add pairs of products in 16 bits, which may saturate. False where it is not known.
 */
export function hasVnni(cpuInfo = readCpuInfo()): boolean {
  return /^flags\s*:.*\b(avx512_vnni|avx_vnni)\b/m.test(cpuInfo);
}

/** Linux's description of the CPUs; nothing on other systems. */
function readCpuInfo(): string {
  try {
    return readFileSync('/proc/cpuinfo', 'latin1');
  } catch {
    return '';
  }
}
