import { useSelected } from '../state/use-selected.ts';
import { ComparisonView } from './comparison-view.tsx';
import { KeyDialog } from './key-dialog.tsx';
import { LookControls } from './look-controls.tsx';
import { PanelList } from './panel-list.tsx';
import { PicturePicker } from './picture-picker.tsx';
import { StatusCorner } from './status-corner.tsx';

/** The whole page. */
export function App() {
  const hasPicture = useSelected(({ picture }) => picture !== undefined);
  return (
    <>
      <header class="top">
        <h1>siglip-hd</h1>
        <a href="docs">API</a>
        <StatusCorner />
      </header>
      <main>
        <PicturePicker />
        {hasPicture && <LookControls />}
        <PanelList />
        {hasPicture && <ComparisonView />}
      </main>
      <KeyDialog />
    </>
  );
}
