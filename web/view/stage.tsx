import type { Size } from '../../src/recipes/plan.ts';
import { useState } from 'preact/hooks';
import { planRects } from '../geometry/plan-rects.ts';
import { type Point, type Rect, union } from '../geometry/rect.ts';
import { middleOf, neighbour, tokenAt, type TokenLayer } from '../geometry/token-layers.ts';
import type { Picture } from '../picture/picture.ts';
import { modelOf } from '../state/served-model.ts';
import { type Panel, shownLayer } from '../state/panel.ts';
import { usePage } from '../state/page.ts';
import { useSelected } from '../state/use-selected.ts';
import { Overlay } from './overlay.tsx';
import { Readout } from './readout.tsx';
import { TokenPicture, Tokens } from './token-picture.tsx';

interface StageProps {
  readonly panel: Panel;
  readonly picture: Picture;
  readonly size: Size;
  readonly title: string;
}

/** The picture with its tokens and its plan. Patches are picked with the pointer or the keyboard. */
export function Stage({ panel, picture, size, title }: StageProps) {
  const showsPlan = useSelected((state) => state.look.showsPlan);
  const metadata = (panel.answer ?? panel.plan)?.metadata;
  const model = useSelected((state) => metadata && modelOf(state, metadata.model.name));
  const [isFocused, setFocused] = useState(false);
  const layer = shownLayer(panel);
  const rects = metadata === undefined || model === undefined ? [] : planRects(metadata, model, size);
  const whole = { x: 0, y: 0, ...size };
  const frame = showsPlan ? union([whole, ...rects]) : whole;
  const handlers = useStageHandlers(layer, frame, whole);
  return (
    <div>
      <div
        class="stage"
        style={{ '--aspect': frame.width / frame.height }}
        role="application"
        tabIndex={0}
        aria-label={`${title}. Arrow keys move over the patches, Enter picks one, Shift+Enter picks one to differ from, Escape clears the picks.`}
        onFocus={() => setFocused(true)}
        onBlur={() => setFocused(false)}
        {...handlers}
      >
        <TokenPicture frame={frame} picture={picture}>
          {layer !== undefined && <PanelTokens id={panel.id} frame={frame} layer={layer} />}
        </TokenPicture>
        <Overlay frame={frame} rects={showsPlan ? rects : []} layer={layer} />
      </div>
      <Readout id={panel.id} layer={layer} isLive={isFocused} />
    </div>
  );
}

/** The tokens alone are drawn again for each colour. */
function PanelTokens({ id, frame, layer }: { id: number; frame: Rect; layer: TokenLayer }) {
  const paint = useSelected((state) => state.paints.get(id));
  const blend = useSelected((state) => state.look.blend);
  return <Tokens frame={frame} layer={layer} paint={paint} blend={blend} />;
}

const steps: Readonly<Record<string, readonly [across: number, down: number]>> = {
  ArrowLeft: [-1, 0],
  ArrowRight: [1, 0],
  ArrowUp: [0, -1],
  ArrowDown: [0, 1],
};

/** Moves the patch that is looked at, and picks it. Every panel follows. */
function useStageHandlers(layer: TokenLayer | undefined, frame: Rect, whole: Rect) {
  const { store, actions } = usePage();
  const pointOf = ({ currentTarget, clientX, clientY }: PointerEvent | MouseEvent): Point => {
    const box = (currentTarget as HTMLElement).getBoundingClientRect();
    return {
      x: frame.x + ((clientX - box.left) / box.width) * frame.width,
      y: frame.y + ((clientY - box.top) / box.height) * frame.height,
    };
  };
  const pick = (point: Point | undefined, { shiftKey }: PointerEvent | MouseEvent | KeyboardEvent): void => {
    const token = point === undefined || layer === undefined ? undefined : tokenAt(layer, point);
    const differs = shiftKey !== store.state.look.picksToDiffer;
    if (token !== undefined) actions.pick({ ...middleOf(token), isPositive: !differs });
  };
  return {
    onPointerMove: (event: PointerEvent) => actions.look({ hover: pointOf(event) }),
    onPointerLeave: () => actions.look({ hover: undefined }),
    onClick: (event: MouseEvent) => pick(pointOf(event), event),
    onKeyDown: (event: KeyboardEvent) => {
      const { hover } = store.state.look;
      const step = steps[event.key];
      if (step !== undefined && layer !== undefined) {
        const middle = { x: whole.width / 2, y: whole.height / 2 };
        actions.look({ hover: hover === undefined ? middle : neighbour(layer, hover, ...step) });
      } else if (event.key === 'Enter' || event.key === ' ') {
        pick(hover, event);
      } else if (event.key === 'Escape') {
        actions.clearPicks();
      } else {
        return;
      }
      event.preventDefault();
    },
  };
}
