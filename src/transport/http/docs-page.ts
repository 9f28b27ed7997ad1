import { createHash } from 'node:crypto';
import { docsScript } from './docs-script.ts';

const style = `
:root { color-scheme: light dark; --ink: #16202b; --soft: #5b6875; --line: #d9dfe5; --paper: #fff; --wash: #f4f6f8;
  --accent: #0a6c74; --accent-ink: #fff; --bad: #b3261e; --good: #1b7f4b; --mono: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e9ee; --soft: #98a5b1; --line: #2c3640; --paper: #12181e;
  --wash: #1a222a; --accent: #4fc3cb; --accent-ink: #06282b; --bad: #ff8a80; --good: #6fd19c; } }
* { box-sizing: border-box; } [hidden] { display: none !important; }
body { margin: 0; background: var(--paper); color: var(--ink); font: 15px/1.55 system-ui, sans-serif; }
main, header > div { max-width: 1080px; margin: 0 auto; padding: 0 24px; }
header { border-bottom: 1px solid var(--line); background: var(--wash); }
header > div { display: flex; align-items: baseline; gap: 16px; padding-top: 20px; padding-bottom: 18px; flex-wrap: wrap; }
h1 { font-size: 22px; margin: 0; } h2 { font-size: 18px; margin: 36px 0 12px; } h3 { font-size: 13px; margin: 16px 0 6px; color: var(--soft); font-weight: 600; }
p { margin: 6px 0; } .soft { color: var(--soft); } .grow { flex: 1; } a { color: var(--accent); }
code, pre, .mono { font-family: var(--mono); font-size: 13px; }
pre { background: var(--wash); border: 1px solid var(--line); border-radius: 8px; padding: 12px; margin: 0; overflow: auto; white-space: pre-wrap; word-break: break-word; }
.pill { font-size: 12.5px; padding: 2px 10px; border-radius: 99px; border: 1px solid var(--line); color: var(--soft); }
.pill.good { color: var(--good); border-color: currentColor; } .pill.bad { color: var(--bad); border-color: currentColor; }
.try { display: grid; grid-template-columns: minmax(0, 340px) minmax(0, 1fr); gap: 28px; }
@media (max-width: 800px) { .try { grid-template-columns: minmax(0, 1fr); } }
.drop { display: grid; place-items: center; min-height: 210px; border: 1.5px dashed var(--line); border-radius: 12px; background: var(--wash);
  text-align: center; cursor: pointer; overflow: hidden; color: var(--soft); padding: 8px; }
.drop:hover, .drop.over, .drop:focus-within { border-color: var(--accent); } .drop img { max-width: 100%; max-height: 260px; display: block; border-radius: 6px; }
.drop input { position: absolute; opacity: 0; width: 1px; height: 1px; }
.fields { display: grid; grid-template-columns: 1fr 1fr; gap: 10px 12px; margin: 14px 0; }
label.field { font-size: 13px; color: var(--soft); display: block; }
select, input:not([type]), input[type=password], button { font: inherit; color: inherit; width: 100%; padding: 7px 10px; border: 1px solid var(--line); border-radius: 8px; background: var(--paper); margin-top: 2px; }
button { background: var(--accent); border-color: var(--accent); color: var(--accent-ink); font-weight: 600; cursor: pointer; }
button:disabled { opacity: .45; cursor: default; } :focus-visible { outline: 2px solid var(--accent); outline-offset: 2px; }
.bars { display: grid; grid-template-columns: max-content 1fr max-content; gap: 3px 12px; align-items: center; font-size: 13px; }
.bars progress { width: 100%; height: 8px; accent-color: var(--accent); }
canvas { width: 210px; height: 210px; border-radius: 8px; border: 1px solid var(--line); image-rendering: pixelated; display: block; }
.try > div > h3:first-child, .pair h3 { margin-top: 0; }
.pair { margin-top: 16px; display: flex; gap: 24px; flex-wrap: wrap; } .pair > :last-child { flex: 1; min-width: 240px; }
table { border-collapse: collapse; width: 100%; font-size: 14px; } td, th { text-align: left; padding: 6px 12px 6px 0; border-bottom: 1px solid var(--line); vertical-align: top; }
th { color: var(--soft); font-weight: 600; font-size: 13px; }
.scroll { overflow-x: auto; }
details { border: 1px solid var(--line); border-radius: 10px; margin: 8px 0; } details > div { padding: 0 16px 14px; }
summary { padding: 9px 16px; cursor: pointer; display: flex; gap: 12px; align-items: baseline; flex-wrap: wrap; } summary .mono { font-weight: 600; }
.verb { font: 600 12px var(--mono); min-width: 42px; color: var(--accent); }
.problem { border-left: 3px solid var(--bad); padding: 2px 0 2px 12px; }
footer { color: var(--soft); font-size: 13px; padding: 40px 0 32px; }
`;

const body = `
<header><div><h1>siglip-hd</h1><span class="soft grow">visual tokens over HTTP</span>
<span id="ready" class="pill">asking</span><a href="/openapi.json">openapi.json</a><a href="/metrics">metrics</a></div></header>
<main>
<h2>Try it</h2>
<label class="field" id="keyed" hidden>API key<input type="password" id="key" autocomplete="off"></label>
<div class="try">
<div>
<label class="drop" id="drop"><input type="file" id="file" accept="image/*,.npy"><span id="preview">Drop an image here, or choose one</span></label>
<div class="fields" id="fields"></div>
<button id="send" disabled>Encode</button>
</div>
<div aria-live="polite"><h3>Request</h3><pre id="curl"></pre><div id="answer"></div></div>
</div>
<h2>Models</h2><div id="models" class="scroll soft">asking</div>
<h2>Endpoints</h2><div id="operations"></div>
<h2>Errors</h2><p class="soft">Every failure is <code>application/problem+json</code> (RFC 9457) with a <code>code</code> from this list and the request's id.</p>
<div id="problems" class="scroll"></div>
<footer>This page is made from <code>/openapi.json</code> and loads nothing from anywhere else.</footer>
</main>
`;

/** A page that shows /openapi.json and tries the encodes, whole in itself. */
export const docsPage = `<!doctype html>
<html lang="en"><head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>siglip-hd</title><link rel="icon" href="data:,"><style>${style}</style></head><body>${body}<script>${docsScript}</script></body></html>
`;

/** Content-Security-Policy of the page: its own style and script by their digests, and this server's API. */
export const docsPolicy = [
  "default-src 'none'",
  `script-src '${digest(docsScript)}'`,
  `style-src '${digest(style)}'`,
  "img-src 'self' blob: data:",
  "connect-src 'self'",
  "base-uri 'none'",
  "form-action 'none'",
  "frame-ancestors 'none'",
].join('; ');

function digest(text: string): string {
  return `sha256-${createHash('sha256').update(text).digest('base64')}`;
}
