import type { Answer } from '../state/panel.ts';

/** What an answer cost: the stages one after the other, what is left of its time, its bytes, and whether the cache had it. */
export function Cost({ answer }: { answer: Answer }) {
  const rows = rowsOf(answer);
  const totalMs = rows.reduce((sum, { ms }) => sum + ms, 0);
  let before = 0;
  return (
    <details class="cost">
      <summary>
        Cost: {milliseconds(totalMs)}, cache {answer.cache}
      </summary>
      <table>
        <tbody>
          {rows.map(({ name, ms, isOutside }) => {
            const bar = {
              marginLeft: percent(before / totalMs),
              width: percent(ms / totalMs),
              minWidth: ms > 0 ? '1px' : '0',
            };
            before += ms;
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{milliseconds(ms)}</td>
                <td class="bars">
                  <div class={isOutside ? 'outside' : ''} style={bar} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="fine">{explanationOf(answer)}</p>
      <p class="fine">
        {batchOf(answer)} {answer.sentBytes.toLocaleString('en')} bytes sent,{' '}
        {answer.receivedBytes.toLocaleString('en')} received.
      </p>
    </details>
  );
}

interface Row {
  readonly name: string;
  readonly ms: number;
  /** Whether the browser measured it; the service measures its stages. */
  readonly isOutside: boolean;
}

/** Times are rounded, so that what is shown adds up to the heading. */
function rowsOf({ stages, firstByteMs, downloadMs, cache }: Answer): Row[] {
  const servedMs = stages.reduce((sum, { ms }) => sum + ms, 0);
  // An answer from the cache has no decoding or engine time.
  const ran = stages.filter(({ ms }) => cache !== 'hit' || ms > 0);
  return [
    ...ran.map(({ name, ms }) => ({ name, ms: tenths(ms), isOutside: false })),
    { name: 'network and waits', ms: tenths(Math.max(0, firstByteMs - servedMs)), isOutside: true },
    { name: 'download', ms: tenths(downloadMs), isOutside: true },
  ];
}

function tenths(ms: number): number {
  return Math.round(ms * 10) / 10;
}

function explanationOf({ cache, metadata: { views } }: Answer): string {
  const own = views === 1 ? 'its view' : `any of its ${views} views`;
  const stages =
    cache === 'hit'
      ? ''
      : cache === 'joined'
        ? 'Queue: another request was encoding the image already. '
        : `Queue: waiting for a thread or engine. Engine: time an engine ran ${own}. `;
  return `${stages}Network and waits: the rest of the time until the answer begins, such as the upload, the network, and the main threads of the service and of this page. Parts of it lie before and between the stages.`;
}

function batchOf({ batchViews }: Answer): string {
  if (batchViews === undefined) return 'No batch was run for this request.';
  return `Largest batch: ${batchViews} ${batchViews === 1 ? 'view' : 'views'}, other requests' included.`;
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

function milliseconds(ms: number): string {
  return `${ms.toFixed(1)} ms`;
}
