"""How a page looks. Colors of curves differ in lightness too, and each curve has marks of its own."""

LIGHT = {
    "paper": "#ffffff", "ink": "#1c1f23", "quiet": "#58606a", "rule": "#d9dde2", "box": "#f5f6f8",
    "link": "#0b57a4", "done": "#1d6b3c", "open": "#8a4b00",
    "s0": "#0b63b0", "s1": "#c44a00", "s2": "#00795c", "s3": "#a03a86",
    "s4": "#b38b00", "s5": "#2b2f36", "s6": "#8c1c33", "s7": "#3f8fc9",
}  # fmt: skip
DARK = {
    "paper": "#15181c", "ink": "#e7eaee", "quiet": "#a3abb5", "rule": "#343a42", "box": "#1e2228",
    "link": "#82b9f5", "done": "#7fd3a1", "open": "#f0b86a",
    "s0": "#7cc4ff", "s1": "#ff9550", "s2": "#35c79e", "s3": "#e69ad3",
    "s4": "#f2e06a", "s5": "#f1f3f5", "s6": "#ff7a88", "s7": "#3f78c8",
}  # fmt: skip


def _variables(colors):
    return "".join(f"--{name}:{color};" for name, color in colors.items())


CSS = (
    f"\n:root{{{_variables(LIGHT)}}}\n"
    f"@media (prefers-color-scheme:dark){{:root{{{_variables(DARK)}}}}}\n"
    """*{box-sizing:border-box}
html{-webkit-text-size-adjust:100%;scroll-behavior:auto}
body{margin:0;background:var(--paper);color:var(--ink);
  font:1rem/1.55 system-ui,-apple-system,"Segoe UI",Roboto,"Liberation Sans",Arial,sans-serif}
main{max-width:68rem;margin:0 auto;padding:1.5rem 1rem 3rem}
h1,h2,h3,h4,h5{line-height:1.25;margin:2rem 0 .75rem;overflow-wrap:anywhere}
h1{font-size:1.9rem;margin-top:.5rem} h2{font-size:1.45rem} h3{font-size:1.15rem}
h4{font-size:1rem} h5{font-size:.95rem}
p{margin:.6rem 0;max-width:46rem}
a{color:var(--link)}
a:focus-visible,summary:focus-visible,[tabindex]:focus-visible{outline:2px solid var(--link);
  outline-offset:2px}
code,pre{font-family:ui-monospace,SFMono-Regular,Menlo,Consolas,"DejaVu Sans Mono",monospace}
code{font-size:.875em;overflow-wrap:anywhere}
nav ul{list-style:none;margin:0 0 1rem;padding:0;display:flex;flex-wrap:wrap;gap:.25rem 1.25rem}
main>h1~section{border-top:1px solid var(--rule);margin-top:2.5rem;padding-top:1.5rem}
section>:first-child{margin-top:0}
section.stage{border-left:3px solid var(--rule);margin-top:2rem;padding-left:1rem}
.about .done,.about .open{font-weight:600}
.done{color:var(--done)} .open{color:var(--open)}
.note,.words{color:var(--quiet);font-size:.875rem}
.words{display:block;font-weight:400;min-width:9rem}
dl.facts{display:flex;flex-wrap:wrap;gap:.75rem 2rem;margin:1rem 0}
dt{color:var(--quiet);font-size:.875rem} dd{margin:0;font-variant-numeric:tabular-nums}
.wide{overflow-x:auto;margin:.75rem 0;border:1px solid var(--rule);border-radius:6px;
  width:fit-content;max-width:100%}
table{border-collapse:collapse;font-size:.9375rem}
th,td{text-align:left;vertical-align:top;padding:.4rem .75rem;font-variant-numeric:tabular-nums}
tr+tr>*,tbody>tr:first-child>*{border-top:1px solid var(--rule)}
thead th{background:var(--box);white-space:nowrap;font-weight:600}
tbody th{font-weight:400}
table.runs tbody th{position:sticky;left:0;background:var(--paper)}
tbody th code,td code{white-space:nowrap}
td{min-width:4.5rem}
table.long td,table.long td code{overflow-wrap:anywhere;white-space:normal;min-width:12rem}
details{margin:.75rem 0}
summary{cursor:pointer;color:var(--link);padding:.25rem 0}
pre{background:var(--box);border-radius:6px;padding:.75rem 1rem;margin:.5rem 0;overflow:auto;
  max-height:32rem;font-size:.8125rem;line-height:1.5}
.wrapped{white-space:pre-wrap;overflow-wrap:anywhere;max-height:none}
figure{margin:1rem 0}
figcaption{font-size:.875rem;color:var(--quiet)}
figcaption strong{color:var(--ink)}
figure.sample{max-width:50rem}
.charts{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,28rem),1fr));gap:1rem 2rem}
figure.chart{max-width:48rem;display:flow-root}
.chart .y{display:block}
.legend{list-style:none;display:flex;flex-wrap:wrap;gap:.1rem 1.1rem;margin:.4rem 0 0;padding:0;
  font-size:.875rem}
.legend svg{vertical-align:middle;margin-right:.4rem}
.none{position:absolute}
svg.plot{display:block;width:calc(100% - 5rem);height:17rem;margin:.9rem 1.5rem 3rem 3.5rem;
  overflow:visible}
.plot line{stroke:var(--rule);stroke-width:1}
.plot text{fill:var(--quiet);font-size:12px;font-variant-numeric:tabular-nums}
.plot text.axis{font-size:13px}
.plot svg{overflow:visible}
.plot path{fill:none;stroke:currentColor;stroke-width:1.8;stroke-linejoin:round;
  vector-effect:non-scaling-stroke}
.plots{display:grid;grid-template-columns:repeat(auto-fit,minmax(min(100%,24rem),1fr));gap:1rem}
.plot-file{margin:0}
.plot-file figcaption{margin-top:.25rem}
.plot-file img{display:block;max-width:100%;height:auto;background:#fff;border:1px solid var(--rule);
  border-radius:6px}
footer{margin-top:3rem;color:var(--quiet);font-size:.875rem}
"""
    + "".join(f".s{i}{{color:var(--s{i})}}" for i in range(8))
    + "\n@media print{details>*{display:block}pre{max-height:none}}\n"
)
