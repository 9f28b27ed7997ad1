import { tokenAt, type TokenLayer } from '../geometry/token-layers.ts';
import { useSelected } from '../state/use-selected.ts';

interface ReadoutProps {
  /** The panel's. */
  readonly id: number;
  readonly layer: TokenLayer | undefined;
  /** Whether a screen reader reads each change: of the panel in focus alone. */
  readonly isLive: boolean;
}

/** Where the patch under the pointer is, and its value. */
export function Readout({ id, layer, isLive }: ReadoutProps) {
  const hover = useSelected((state) => state.look.hover);
  const coloring = useSelected((state) => state.look.coloring);
  const paint = useSelected((state) => state.paints.get(id));
  const token = layer === undefined || hover === undefined ? undefined : tokenAt(layer, hover);
  const value = token === undefined ? undefined : paint?.values?.[token.index];
  return (
    <p class="readout" aria-live={isLive ? 'polite' : 'off'}>
      {token === undefined ? ' ' : `column ${token.column + 1}, row ${token.row + 1}`}
      {value !== undefined && `, ${coloring === 'norms' ? 'norm' : 'similarity'} ${value.toFixed(4)}`}
    </p>
  );
}
