/** The page's style sheet; inline, so that one file is the whole report. */
export const STYLE = `
:root { color-scheme: light dark;
  --bg: #ffffff; --panel: #f6f7f9; --ink: #1c2128; --soft: #5b6470; --line: #dde1e6; --link: #0b5cad;
  --pass: #17713a; --fail: #b3202a; --inconclusive: #8a5a00; --unsupported: #5b6470; --error: #8b1fa9;
  --mark: #fdecec; }
@media (prefers-color-scheme: dark) { :root {
  --bg: #12161b; --panel: #1a2027; --ink: #e4e8ed; --soft: #9aa5b1; --line: #2c343d; --link: #74b3f2;
  --pass: #56c285; --fail: #ff7a80; --inconclusive: #e0ac4a; --unsupported: #9aa5b1; --error: #d68cf0;
  --mark: #3a1d21; } }
* { box-sizing: border-box; }
html { -webkit-text-size-adjust: 100%; scroll-padding-top: 1rem; }
body { margin: 0 auto; max-width: 74rem; padding: 1.5rem 1rem 4rem; background: var(--bg);
  color: var(--ink); font: 15px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, sans-serif; }
h1 { font-size: 1rem; font-weight: 600; margin: 0 0 .6rem; color: var(--soft);
  overflow-wrap: anywhere; }
h2 { font-size: 1.25rem; margin: 2.5rem 0 .75rem; }
h3 { font-size: 1rem; margin: 1.75rem 0 .5rem; }
p { margin: .4rem 0; }
a { color: var(--link); }
code, pre, td.num, td.id { font-family: ui-monospace, SFMono-Regular, Menlo, Consolas, monospace;
  font-size: .87em; }
code { overflow-wrap: anywhere; }
pre { margin: .5rem 0; padding: .6rem .75rem; background: var(--panel); border: 1px solid var(--line);
  border-radius: 6px; white-space: pre-wrap; overflow-wrap: anywhere; }
.soft { color: var(--soft); }
.banner { border-left: 6px solid; padding: .9rem 1.1rem; background: var(--panel); border-radius: 6px; }
.banner strong { display: block; font-size: 1.7rem; line-height: 1.2; }
.pass { color: var(--pass); } .fail { color: var(--fail); } .error { color: var(--error); }
.inconclusive { color: var(--inconclusive); } .unsupported { color: var(--unsupported); }
.banner p { color: var(--ink); }
nav { margin: 1rem 0 0; display: flex; flex-wrap: wrap; gap: .2rem 1rem; }
dl.facts { display: grid; grid-template-columns: repeat(auto-fill, minmax(9.5rem, 1fr)); gap: .9rem 1.5rem;
  margin: 1.5rem 0 0; }
dl.facts dt { color: var(--soft); font-size: .85em; }
dl.facts dd { margin: 0; overflow-wrap: anywhere; }
dl.facts .big { font-size: 1.25rem; font-weight: 600; }
table { width: 100%; border-collapse: collapse; }
th, td { padding: .3rem .6rem .3rem 0; border-bottom: 1px solid var(--line); vertical-align: top; }
td { overflow-wrap: anywhere; }
th { text-align: left; font-weight: 500; font-size: .85em; color: var(--soft); }
td.num, th.num { text-align: right; white-space: nowrap; }
td.id, td.verdict { white-space: nowrap; }
td.verdict { font-weight: 600; }
tr.deviates td { background: var(--mark); font-weight: 600; }
tr.deviates td:first-child { box-shadow: inset 4px 0 var(--fail); }
.steps th, .steps td { padding-left: .5rem; }
.steps td.same { color: var(--soft); }
.clauses { table-layout: fixed; }
.clauses .c-id { width: 5.2rem; } .clauses .c-basis { width: 8.2rem; }
.clauses .c-verdict { width: 6.8rem; } .clauses .c-count { width: 5.2rem; }
.failure { border: 1px solid var(--line); border-radius: 8px; padding: .8rem 1rem 1rem; margin: 1rem 0; }
.failure h3 { margin-top: 0; }
.tag { display: inline-block; border: 1px solid; border-radius: 999px; padding: 0 .6em; font-size: .8em;
  font-weight: 600; }
.out { display: inline-block; margin-right: .9em; white-space: nowrap; }
@media (max-width: 640px) {
  body { padding: 1rem .75rem 3rem; }
  table, tbody, tr, td { display: block; width: 100%; }
  thead { display: none; }
  tr { border-bottom: 1px solid var(--line); padding: .5rem 0; }
  tr.deviates { background: var(--mark); box-shadow: inset 4px 0 var(--fail); padding-left: .6rem; }
  tr.deviates td:first-child { box-shadow: none; }
  th, td, td.num { border: 0; padding: .05rem 0; text-align: left; white-space: normal; }
  .steps td { padding-left: 0; }
  td[data-label]::before { content: attr(data-label) ": "; color: var(--soft); font-weight: 400;
    font-family: system-ui, sans-serif; }
  .steps td.same { display: none; }
  td.inline { display: inline-block; width: auto; margin-right: 1rem; }
}
@media print { body { max-width: none; } .failure, tr { break-inside: avoid; } }
`;
