import type { Answer } from '../state/panel.ts';

/** What an answer cost: the stages in the order they ran, its bytes, and whether the cache had it. */
export function Cost({
  answer: { stages, batchViews, totalMs, sentBytes, receivedBytes, cache },
}: {
  answer: Answer;
}) {
  const served = stages.reduce((sum, { ms }) => sum + ms, 0);
  const rows = [...stages, { name: 'transfer and rest', ms: Math.max(0, totalMs - served) }];
  const scaleMs = rows.reduce((sum, { ms }) => sum + ms, 0);
  let before = 0;
  return (
    <details class="cost">
      <summary>
        Cost: {milliseconds(totalMs)}, cache {cache}
      </summary>
      <table>
        <tbody>
          {rows.map(({ name, ms }) => {
            const bar = { marginLeft: percent(before / scaleMs), width: percent(ms / scaleMs) };
            before += ms;
            return (
              <tr key={name}>
                <th scope="row">{name}</th>
                <td class="number">{milliseconds(ms)}</td>
                <td class="bars">
                  <div style={bar} />
                </td>
              </tr>
            );
          })}
        </tbody>
      </table>
      <p class="fine">
        {batchViews === undefined
          ? 'No batch was run for this request. '
          : `Largest batch: ${batchViews} ${batchViews === 1 ? 'view' : 'views'}, other requests' included. `}
        {sentBytes.toLocaleString('en')} bytes sent, {receivedBytes.toLocaleString('en')} received
      </p>
    </details>
  );
}

function percent(share: number): string {
  return `${(share * 100).toFixed(2)}%`;
}

function milliseconds(ms: number): string {
  return `${ms < 10 ? ms.toFixed(2) : ms.toFixed(0)} ms`;
}
