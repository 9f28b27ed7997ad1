import type { PlanRect } from '../geometry/plan-rects.ts';
import type { Rect } from '../geometry/rect.ts';
import { middleOf, rectOf, tokenAt, type TokenLayer } from '../geometry/token-layers.ts';
import { useSelected } from '../state/use-selected.ts';

interface OverlayProps {
  readonly frame: Rect;
  readonly rects: readonly PlanRect[];
  readonly layer: TokenLayer | undefined;
}

/** The plan's rectangles, the picked patches and the one under the pointer. One unit is a pixel of the image. */
export function Overlay({ frame, rects, layer }: OverlayProps) {
  const box = `${frame.x} ${frame.y} ${frame.width} ${frame.height}`;
  const groups = [...new Set(rects.map(({ group }) => group))];
  return (
    <svg viewBox={box} preserveAspectRatio="none" aria-hidden="true">
      {rects.map(({ kind, group, x, y, width, height }) => (
        <rect
          key={`${group} ${x} ${y}`}
          class={`${kind} group-${groups.indexOf(group)}`}
          data-group={group}
          x={x}
          y={y}
          width={width}
          height={height}
        />
      ))}
      {layer !== undefined && <Hovered layer={layer} />}
      {layer !== undefined && <Picks layer={layer} size={frame.width / 50} />}
    </svg>
  );
}

function Picks({ layer, size }: { layer: TokenLayer; size: number }) {
  const picks = useSelected((state) => state.look.picks);
  return (
    <>
      {picks.map((pick, index) => {
        const token = tokenAt(layer, pick);
        if (token === undefined) return null;
        return (
          <g key={index}>
            <TokenOutline rect={rectOf(token)} kind={pick.isPositive ? 'positive' : 'negative'} />
            <Sign at={middleOf(token)} isPositive={pick.isPositive} size={size} />
          </g>
        );
      })}
    </>
  );
}

function Hovered({ layer }: { layer: TokenLayer }) {
  const hover = useSelected((state) => state.look.hover);
  const token = hover === undefined ? undefined : tokenAt(layer, hover);
  return token === undefined ? null : <TokenOutline rect={rectOf(token)} kind="hovered" />;
}

/** White on black, so that it shows on any colour. */
function TokenOutline({ rect, kind }: { rect: Rect; kind: string }) {
  return (
    <>
      <rect class="outline-under" {...rect} />
      <rect class={`outline ${kind}`} {...rect} />
    </>
  );
}

function Sign({
  at: { x, y },
  isPositive,
  size,
}: {
  at: { x: number; y: number };
  isPositive: boolean;
  size: number;
}) {
  const half = size / 2;
  const across = `M${x - half} ${y}h${size}`;
  const path = isPositive ? `${across}M${x} ${y - half}v${size}` : across;
  return (
    <>
      <path class="outline-under" d={path} />
      <path class={isPositive ? 'outline positive' : 'outline negative'} d={path} />
    </>
  );
}
