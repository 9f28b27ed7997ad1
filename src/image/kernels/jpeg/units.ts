// The units of an MCU: its blocks, in the order of the scan. A unit has what the blocks at its place have in common in all
// MCUs.
import { unitBytes, unitsAddress } from './memory-map.ts';

export let unitsEnd: usize = unitsAddress;

export function clearUnits(): void {
  unitsEnd = unitsAddress;
}

/** Adds the next unit of `component`, whose samples in the first MCU lie at `target`, and in each other `step` bytes on. */
export function addUnit(component: i32, target: usize, stride: usize, step: usize): void {
  const unit = unitsEnd;
  unitsEnd = unit + unitBytes;
  store<i32>(unit, component);
  store<usize>(unit, target, 4);
  store<usize>(unit, stride, 8);
  store<usize>(unit, step, 12);
}
export function componentOf(unit: usize): i32 {
  return load<i32>(unit);
}
export function targetOf(unit: usize): usize {
  return load<usize>(unit, 4);
}
export function strideOf(unit: usize): usize {
  return load<usize>(unit, 8);
}
export function stepOf(unit: usize): usize {
  return load<usize>(unit, 12);
}

export function setTables(unit: usize, dcTable: usize, acTable: usize, factors: usize): void {
  store<usize>(unit, dcTable, 16);
  store<usize>(unit, acTable, 20);
  store<usize>(unit, factors, 24);
}
export function dcTableOf(unit: usize): usize {
  return load<usize>(unit, 16);
}
export function acTableOf(unit: usize): usize {
  return load<usize>(unit, 20);
}
export function factorsOf(unit: usize): usize {
  return load<usize>(unit, 24);
}
