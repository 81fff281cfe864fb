"""How the page looks, on a light and on a dark ground, and printed."""

STYLE = """
:root{--ground:#fff;--panel:#f6f7f9;--ink:#1c2330;--quiet:#5d6778;--rule:#dde1e8;--book:#1f5fd6;--equal:#c2620c;
--bench:#6b7686;--top:#7a3fa8;--good:#157347;--bad:#b3261e;--good-soft:21,115,71;--bad-soft:179,38,30;
color-scheme:light dark}
@media (prefers-color-scheme:dark){:root{--ground:#12161d;--panel:#1a202a;--ink:#e4e8ef;--quiet:#98a3b5;--rule:#2c3442;
--book:#6ea2ff;--equal:#f0a04b;--bench:#9aa6b8;--top:#c79bf2;--good:#5cc58f;--bad:#ff8a80;--good-soft:92,197,143;
--bad-soft:255,138,128}}
*{box-sizing:border-box}
body{margin:0 auto;max-width:1080px;padding:28px 24px 56px;background:var(--ground);color:var(--ink);
font:15px/1.5 system-ui,-apple-system,"Segoe UI",Roboto,"DejaVu Sans",sans-serif}
h1{font-size:26px;line-height:1.25;margin:0 0 4px}h2{font-size:18px;margin:40px 0 10px}
h3{font-size:14px;margin:20px 0 6px;color:var(--quiet);font-weight:600}
p{margin:8px 0;max-width:78ch}.quiet{color:var(--quiet)}
.tiles{display:grid;grid-template-columns:repeat(auto-fit,minmax(158px,1fr));gap:10px;margin:20px 0 16px}
.tile{background:var(--panel);border-radius:8px;padding:11px 13px}
.tile span{display:block;color:var(--quiet);font-size:13px}
.tile b{display:block;font-size:17px;line-height:1.5;letter-spacing:-.01em;overflow-wrap:anywhere;
font-variant-numeric:tabular-nums}
.good{color:var(--good)}.bad{color:var(--bad)}
figure{margin:14px 0;background:var(--panel);border-radius:8px;padding:12px 14px 6px}
figcaption{display:flex;flex-wrap:wrap;gap:4px 18px;font-size:13px;color:var(--quiet)}
figcaption b{color:var(--ink);font-weight:600}
figcaption i{display:inline-block;width:16px;height:3px;border-radius:2px;margin-right:6px;vertical-align:middle}
svg{display:block;width:100%;height:auto}
svg text{font:11px system-ui,"DejaVu Sans",sans-serif;fill:var(--quiet);font-variant-numeric:tabular-nums}
svg .value{text-anchor:end}
.grid{stroke:var(--rule);stroke-width:1}.zero{stroke:var(--quiet);stroke-width:1}
.line{fill:none;stroke-width:1.6;stroke-linejoin:round}.line.book{stroke-width:2.4}
.dense .line{stroke-width:1}.dense .line.book{stroke-width:1.4}
.book{stroke:var(--book)}.equal-weight{stroke:var(--equal)}.benchmark{stroke:var(--bench)}
.top-k-dropout{stroke:var(--top)}i.top-k-dropout{background:var(--top)}
i.book{background:var(--book)}i.equal-weight{background:var(--equal)}i.benchmark{background:var(--bench)}
.area{fill:var(--book);fill-opacity:.18;stroke:none}.bars{fill:none}
.wide{overflow-x:auto;margin:8px 0 16px}
table{border-collapse:collapse;font-size:14px;font-variant-numeric:tabular-nums;min-width:100%}
th,td{padding:5px 10px;border-bottom:1px solid var(--rule);text-align:right;vertical-align:top}
table.narrow{min-width:0;margin:10px 0 18px}
thead th{color:var(--quiet);font-weight:600;font-size:13px;white-space:nowrap}
tbody th{font-weight:500;white-space:nowrap}
th:first-child,td.words,th.words{text-align:left}td.words{min-width:14em}
td,td.nowrap{white-space:nowrap}td.words{white-space:normal}td.words.nowrap{white-space:nowrap}
td.item:first-child{text-align:left;padding-left:22px;white-space:normal}td.item{color:var(--quiet);font-size:13px}
td.bad.item{color:var(--bad)}td.good.item{color:var(--good)}
.columns{display:grid;grid-template-columns:repeat(auto-fit,minmax(320px,1fr));gap:0 32px}.columns table{width:100%}
.months td{text-align:center;padding:5px 6px}.months thead th{text-align:center}
.months thead th:first-child{text-align:left}
.months .year{font-weight:600}
svg.mini{width:160px;height:18px;margin-top:2px}
.level{stroke:var(--quiet);stroke-dasharray:2 2}
.interval{stroke:var(--book);stroke-width:5;stroke-linecap:round;opacity:.45}
.dot{fill:var(--book)}.track{fill:var(--rule)}.fill{fill:var(--book)}
code,pre{font:13px/1.5 ui-monospace,SFMono-Regular,Menlo,"DejaVu Sans Mono",monospace}
pre{background:var(--panel);border-radius:8px;padding:10px 14px;overflow-x:auto;margin:8px 0}
details{margin:10px 0}summary{cursor:pointer;color:var(--quiet)}
footer{margin-top:44px;border-top:1px solid var(--rule);padding-top:10px;color:var(--quiet);font-size:13px}
@media screen and (max-width:600px){h1{font-size:22px}figure{overflow-x:auto}figure>svg{min-width:680px}
td.words{min-width:24em}}
@media print{body{max-width:none;padding:0}figure,.tile,tr{break-inside:avoid}}
"""
