"""The frame of every HTML file: one self-contained page, light and dark, fit for printing."""

import base64
import html
from collections.abc import Iterable, Sequence

import cv2
import numpy as np
from numpy.typing import NDArray

_STYLE = """
:root { color-scheme: light dark; --ink: #1c2430; --soft: #5d6878; --paper: #ffffff; --sheet: #f4f6f9;
  --line: #dce1e8; --mark: #2457c5; --good: #1d7a46; --bad: #b3261e; --warn: #9a6200; --best: #e6f0ff; }
@media (prefers-color-scheme: dark) { :root { --ink: #e4e8ee; --soft: #9aa6b6; --paper: #171b22; --sheet: #0f1217;
  --line: #2c3440; --mark: #86aefc; --good: #62c98d; --bad: #ff8a80; --warn: #f0b74f; --best: #1b2a45; } }
* { box-sizing: border-box; }
body { margin: 0; background: var(--sheet); color: var(--ink);
  font: 15px/1.55 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main { max-width: 1180px; margin: 0 auto; padding: 32px 20px 64px; } main.wide { max-width: 1400px; }
h1 { font-size: 28px; line-height: 1.2; margin: 0 0 6px; letter-spacing: -.01em; }
h2 { font-size: 19px; margin: 0 0 4px; } h3 { font-size: 15px; margin: 18px 0 6px; }
p { margin: 6px 0; } .soft { color: var(--soft); } .small { font-size: 13px; }
section { background: var(--paper); border: 1px solid var(--line); border-radius: 10px; padding: 20px 22px;
  margin: 18px 0; }
.scroll { overflow-x: auto; }
table { border-collapse: collapse; width: 100%; font-variant-numeric: tabular-nums; margin: 10px 0 4px; }
th, td { padding: 6px 10px; text-align: right; border-bottom: 1px solid var(--line); white-space: nowrap; }
th { color: var(--soft); font-weight: 600; font-size: 12.5px; vertical-align: bottom; }
th:first-child, td:first-child, td.text, th.text { text-align: left; }
td.text { white-space: normal; overflow-wrap: anywhere; }
td .interval { display: block; font-size: 11px; color: var(--soft); }
tr.reference td { color: var(--soft); font-style: italic; } tr.best td { background: var(--best); }
tr.trouble td { color: var(--bad); }
.pill { display: inline-block; padding: 1px 9px; border-radius: 99px; border: 1px solid currentColor; font-size: 12px;
  font-weight: 600; white-space: nowrap; }
.good { color: var(--good); } .bad { color: var(--bad); } .warn { color: var(--warn); }
.notice { border-left: 4px solid var(--warn); padding: 8px 14px; background: var(--sheet); border-radius: 0 8px 8px 0;
  margin: 12px 0; }
img { max-width: 100%; } img.faces { image-rendering: auto; border-radius: 6px; }
.charts { display: grid; grid-template-columns: repeat(auto-fill, minmax(320px, 1fr)); gap: 14px; }
.charts img, .chart { background: #fff; border-radius: 8px; }
.row { display: flex; flex-wrap: wrap; gap: 10px; margin: 6px 0 14px; }
figure { margin: 0; width: 112px; font-size: 11.5px; line-height: 1.35; color: var(--soft); overflow-wrap: anywhere; }
figure img { display: block; width: 112px; border-radius: 6px; margin-bottom: 3px; }
.sparks { display: grid; grid-template-columns: repeat(auto-fill, minmax(132px, 1fr)); gap: 6px 14px;
  margin-top: 10px; }
.spark div { display: flex; justify-content: space-between; font-size: 11px; color: var(--soft); }
.spark svg { width: 100%; height: 34px; display: block; background: var(--sheet); border-radius: 4px; }
.spark path { fill: none; vector-effect: non-scaling-stroke; stroke-linecap: round; stroke-linejoin: round; }
.spark .line { stroke: var(--mark); stroke-width: 1.4; } .spark .marks { stroke: var(--line); stroke-width: 1; }
details summary { cursor: pointer; color: var(--mark); }
main.wide { padding: 28px 14px 64px; } main.wide section { padding: 18px 18px; }
main.wide th, main.wide td { padding: 5px 4px; } main.wide th { white-space: normal; }
main.wide td { font-size: 13.5px; }
main.wide td .interval { font-size: 10.5px; }
main.wide td:first-child { white-space: normal; overflow-wrap: anywhere; min-width: 116px; }
sup.mark { font-size: 10px; font-weight: 600; margin-left: 2px; font-style: normal; white-space: nowrap; }
main.wide .charts { grid-template-columns: repeat(auto-fill, minmax(min(400px, 100%), 1fr)); }
main.wide .charts.wide { grid-template-columns: repeat(auto-fill, minmax(min(560px, 100%), 1fr)); }
.strips { table-layout: fixed; } .strips .face { display: block; margin: 1px auto 3px; max-width: 128px; }
main .strips th, main .strips td { text-align: center; vertical-align: top; white-space: normal; padding: 4px 3px; }
.strips thead th { overflow-wrap: anywhere; } .strips th span { font-weight: 400; font-style: italic; }
main .strips tbody th { text-align: left; font-weight: 400; font-size: 11px; overflow-wrap: anywhere; }
.strips th:first-child { width: 130px; }
.face { position: relative; display: inline-block; line-height: 0; margin: 1px; }
.face img { width: 128px; max-width: 100%; border-radius: 4px; }
.face.fake::after { content: "synthetic"; position: absolute; left: 3px; bottom: 3px; font: 9px/1.3 sans-serif;
  background: rgba(0, 0, 0, .6); color: #fff; padding: 0 4px; border-radius: 3px; }
.cases td { vertical-align: top; } .case { display: flex; } .case .face { max-width: 96px; }
caption { text-align: left; color: var(--soft); font-size: 13px; padding-bottom: 4px; }
@media print { body { background: #fff; } section { break-inside: avoid; border: 0; padding: 8px 0; }
  .scroll { overflow: visible; } table { font-size: 11px; } th, td { padding: 3px 5px; } }
"""


def page(title: str, body: str, *, wide: bool = False) -> str:
    """A whole HTML document; nothing in it is fetched from anywhere. `wide` is for tables of many columns."""
    kind = ' class="wide"' if wide else ""
    return (
        '<!doctype html>\n<html lang="en">\n<head>\n<meta charset="utf-8">\n'
        '<meta name="viewport" content="width=device-width, initial-scale=1">\n'
        f"<title>{html.escape(title)}</title>\n<style>{_STYLE}</style>\n</head>\n<body>\n<main{kind}>\n{body}\n</main>\n"
        "</body>\n</html>\n"
    )


def section(title: str, body: str, *, lead: str = "") -> str:
    """A titled box; `lead` is plain text."""
    first = f'<p class="soft">{html.escape(lead)}</p>' if lead else ""
    return f"<section><h2>{html.escape(title)}</h2>{first}{body}</section>"


def rows(header: Sequence[str], lines: Iterable[tuple[str, Sequence[str]]], *, text: Sequence[int] = ()) -> str:
    """A table: `lines` are (class of the row, cells that are HTML already); columns in `text` read as prose.

    In a line of fewer cells than heads the last one, prose, reaches to the end.
    """

    def kind(column: int) -> str:
        return ' class="text"' if column in text else ""

    head = "".join(f'<th scope="col"{kind(i)}>{html.escape(name)}</th>' for i, name in enumerate(header))

    def line(cells: Sequence[str]) -> str:
        short = len(header) - len(cells)
        first = "".join(f"<td{kind(i)}>{cell}</td>" for i, cell in enumerate(cells[:-1] if short else cells))
        return first + (f'<td class="text" colspan="{short + 1}">{cells[-1]}</td>' if short else "")

    body = "".join(f'<tr class="{mark}">{line(cells)}</tr>' for mark, cells in lines)
    return f'<div class="scroll"><table><thead><tr>{head}</tr></thead><tbody>{body}</tbody></table></div>'


def picture(image: NDArray[np.uint8], *, alt: str, kind: str = "", photo: bool = True, quality: int = 90) -> str:
    """An RGB uint8 (H, W, 3) picture inside the page: JPEG for photographs, else PNG."""
    bgr = cv2.cvtColor(image, cv2.COLOR_RGB2BGR)
    name, extra = (".jpg", [cv2.IMWRITE_JPEG_QUALITY, quality]) if photo else (".png", [])
    data = cv2.imencode(name, bgr, extra)[1].tobytes()
    return inline(data, "image/jpeg" if photo else "image/png", alt=alt, kind=kind)


def inline(data: bytes, mime: str, *, alt: str, kind: str = "") -> str:
    """An encoded picture as an <img> without a link."""
    text = base64.b64encode(data).decode()
    return f'<img class="{kind}" alt="{html.escape(alt)}" src="data:{mime};base64,{text}">'
