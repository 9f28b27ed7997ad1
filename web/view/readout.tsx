import { tokenAt, type TokenLayer } from '../geometry/token-layers.ts';
import type { Paint } from '../arithmetic/paint.ts';
import { useSelected } from '../state/use-selected.ts';

interface ReadoutProps {
  readonly layer: TokenLayer | undefined;
  readonly paint: Paint | undefined;
  /** Whether a screen reader reads each change: of the panel in focus alone. */
  readonly isLive: boolean;
}

/** Where the patch under the pointer is, and its value. */
export function Readout({ layer, paint, isLive }: ReadoutProps) {
  const { hover, coloring } = useSelected((state) => state.look);
  const token = layer === undefined || hover === undefined ? undefined : tokenAt(layer, hover);
  const value = token === undefined ? undefined : paint?.values?.[token.index];
  return (
    <p class="readout" aria-live={isLive ? 'polite' : 'off'}>
      {token === undefined ? ' ' : `column ${token.column + 1}, row ${token.row + 1}`}
      {value !== undefined && `, ${coloring === 'norms' ? 'norm' : 'similarity'} ${value.toFixed(4)}`}
    </p>
  );
}
