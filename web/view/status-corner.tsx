import { modelOf } from '../state/served-model.ts';
import type { MetricSample } from '../service/metric-sample.ts';
import type { ServedModel } from '../service/models.ts';
import { useSelected } from '../state/use-selected.ts';
import { short } from './short.ts';
import { Sparkline } from './sparkline.tsx';

const contacts = {
  connecting: 'connecting',
  ready: 'ready',
  'not ready': 'not ready',
  locked: 'wants an API key',
  gone: 'does not answer',
} as const;

/** Whether the service answers, what it serves, and how busy it is. */
export function StatusCorner() {
  const { contact, models, samples, hasMetrics } = useSelected((state) => state.service);
  const model = useSelected((state) => modelOf(state, ''));
  const last = samples.at(-1);
  const engines = last?.engines ?? [];
  return (
    <details class="status">
      <summary>
        <span class={`lamp ${contact.replace(' ', '-')}`} aria-hidden="true" />
        <span role="status">{contacts[contact]}</span>
        {model !== undefined && <span class="model">{model.name}</span>}
        {contact !== 'gone' && <Traffic samples={samples} />}
      </summary>
      <div class="status-more">
        {contact === 'gone' && models.length > 0 && <p class="fine">What it reported last:</p>}
        {last === undefined ? (
          <p class="fine">
            {hasMetrics
              ? 'The service has not reported its load and engines yet.'
              : '/metrics is not served here, so load and engines are not known.'}
          </p>
        ) : (
          <p>
            Views in the queue: {last.queued}; engines up: {engines.filter(({ isUp }) => isUp).length} of{' '}
            {engines.length}; {batchesOf(samples)} in the last minute
          </p>
        )}
        <ModelTable models={models} engines={engines} />
      </div>
    </details>
  );
}

/** How many views a second the engines ran in the last minute. A rate needs two samples, and a curve a rate. */
function Traffic({ samples }: { samples: readonly MetricSample[] }) {
  const last = samples.at(-1);
  if (last?.images === 0 && last.views === 0) return <span>no images yet</span>;
  if (samples.length < 2) return null;
  const rate = lastMinute(samples);
  return (
    <>
      <span>{short(rate)} views/s</span>
      {rate > 0 && <Sparkline values={ratesOf(samples)} label="Views a second over the last minute" />}
    </>
  );
}

function ModelTable({
  models,
  engines,
}: {
  models: readonly ServedModel[];
  engines: MetricSample['engines'];
}) {
  return (
    <div class="scrolls" tabIndex={0} role="region" aria-label="Models">
      <table class="models">
        <thead>
          <tr>
            <th scope="col">model</th>
            <th scope="col">features</th>
            <th scope="col">precision</th>
            <th scope="col">geometry</th>
            <th scope="col">engines up</th>
            <th scope="col">digest</th>
          </tr>
        </thead>
        <tbody>
          {models.map(({ name, features, precision, image_size: side, grid, channels, digest }) => {
            const own = engines.filter(({ model }) => model === name);
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td data-column="features">{features}</td>
                <td data-column="precision">{precision}</td>
                <td data-column="geometry">
                  {side} px, {grid.width} x {grid.height} x {channels}
                </td>
                <td data-column="engines up">
                  {own.length === 0
                    ? 'not known'
                    : own.map(({ engine, isUp }) => `${engine} ${isUp ? 'up' : 'down'}`).join(', ')}
                </td>
                <td data-column="digest" title={digest}>
                  <code>{digest.slice(0, 19)}</code>
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
    </div>
  );
}

/** Views a second between each two samples. */
function ratesOf(samples: readonly MetricSample[]): number[] {
  return samples.slice(1).map(({ views, atMs }, index) => {
    const before = samples[index]!;
    return ((views - before.views) * 1000) / (atMs - before.atMs);
  });
}

function lastMinute(samples: readonly MetricSample[]): number {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.atMs === first.atMs) return 0;
  return ((last.views - first.views) * 1000) / (last.atMs - first.atMs);
}

/** As `batches of 2.5 views`. */
function batchesOf(samples: readonly MetricSample[]): string {
  const [first, last] = [samples[0], samples.at(-1)];
  if (first === undefined || last === undefined || last.batches === first.batches) return 'no batches';
  const views = short((last.views - first.views) / (last.batches - first.batches));
  return `batches of ${views} ${views === '1' ? 'view' : 'views'}`;
}
