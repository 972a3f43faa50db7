"""The benchmark's chart: what a message costs each client. An SVG, readable on light and dark."""

from __future__ import annotations

import math
from html import escape

from bench_report import COPIED, FLOOR, OURS, WORKS, Row, cpu, distinct, size_name

SIZES = (16, 1024)
TITLES = {
    "publish": "publish",
    "publish+confirm": "publish, each confirmed",
    "consume": "consume, no ack",
    "consume+ack": "consume, one ack each",
}
LABELS, PANEL, GAP, MARGIN = 162, 308, 36, 16
TOP, ROW, AXIS = 74, 19, 58

STYLE = """
  text { font: 12px system-ui, sans-serif; fill: #3b424c }
  .back { fill: #fff; stroke: #d0d7de }
  .title { font-size: 15px; font-weight: 600 }
  .panel { font-weight: 600 }
  .ours { font-weight: 600; fill: #0b5cad }
  .grid { stroke: #d8dee4 }
  .mark { fill: #8a939e } .line { stroke: #8a939e }
  .mark.ours { fill: #0b5cad } .line.ours { stroke: #0b5cad }
  .mark.floor { fill: #fff; stroke: #8a939e }
  .number { text-anchor: middle } .client { text-anchor: end }
  @media (prefers-color-scheme: dark) {
    text { fill: #c3cbd4 }
    .back { fill: #0d1117; stroke: #30363d }
    .ours { fill: #6cb6ff }
    .grid { stroke: #262c34 }
    .mark { fill: #7d8793 } .line { stroke: #7d8793 }
    .mark.ours { fill: #6cb6ff } .line.ours { stroke: #6cb6ff }
    .mark.floor { fill: #0d1117; stroke: #7d8793 }
  }
"""


def clients_of(rows: list[Row]) -> dict[str, list[str]]:
    """The chart's lines: a label, and the clients of whom the one with the least CPU is meant."""
    lines: dict[str, list[str]] = {}
    for client in distinct(rows, "client"):
        if client == COPIED:
            continue
        # Prepared or not, lent or not is the same loop.
        label = client.split(", prepared")[0] if client.startswith(OURS) else client
        lines.setdefault(label, []).append(client)
    return lines


def kind_of(label: str) -> str:
    return "floor" if label == FLOOR else "ours" if label.startswith(OURS) else "peer"


def mark(size: int, x: float, y: float, kind: str) -> str:
    if size == SIZES[0]:
        return f'<circle class="mark {kind}" cx="{x:.1f}" cy="{y}" r="4.5"/>'
    return f'<rect class="mark {kind}" x="{x - 4:.1f}" y="{y - 4}" width="8" height="8"/>'


def chart(rows: list[Row], versions: dict[str, str]) -> str:
    """Nothing when there is nothing to show."""
    rows = [row for row in rows if row["table"] == "loopback" and row["bytes"] in SIZES]
    if not rows:
        return ""
    lines = clients_of(rows)
    low = math.floor(math.log10(max(min(map(cpu, rows)), 0.001)))
    high = math.ceil(math.log10(max(map(cpu, rows))))
    height = ROW * len(lines)
    total_width = 2 * MARGIN + LABELS + 2 * PANEL + GAP
    total_height = TOP + 2 * (height + AXIS) - AXIS // 2

    def across(value: float) -> float:
        at = (math.log10(max(value, 10**low)) - low) / (high - low)
        return at * (PANEL - 16) + 8

    size = f'width="{total_width}" height="{total_height}"'
    key = MARGIN + 5
    out = [
        f'<svg xmlns="http://www.w3.org/2000/svg" {size} '
        f'viewBox="0 0 {total_width} {total_height}" role="img">',
        "<title>CPU time of the client per message, by client and kind of work</title>",
        f"<style>{STYLE}</style>",
        f'<rect class="back" x="0.5" y="0.5" width="{total_width - 1}" '
        f'height="{total_height - 1}" rx="6"/>',
        f'<text class="title" x="{MARGIN}" y="28">CPU time of the client per message, '
        "in microseconds (log scale; left is better)</text>",
        mark(SIZES[0], key, 44, "peer"),
        f'<text x="{key + 11}" y="48">{size_name(SIZES[0])}</text>',
        mark(SIZES[1], key + 57, 44, "peer"),
        f'<text x="{key + 68}" y="48">{size_name(SIZES[1])}</text>',
        f'<text x="{MARGIN + LABELS}" y="48">floor: the same octets by bare system calls</text>',
    ]
    for panel, work in enumerate(WORKS):
        left = MARGIN + LABELS + (panel % 2) * (PANEL + GAP)
        top = TOP + (panel // 2) * (height + AXIS)
        out.append(f'<text class="panel" x="{left + 8}" y="{top - 4}">{TITLES[work]}</text>')
        for exponent in range(low, high + 1):
            x = left + across(10.0**exponent)
            out.append(f'<path class="grid" d="M{x:.1f} {top}v{height}"/>')
            number = f"{10.0**exponent:g}"
            out.append(f'<text class="number" x="{x:.1f}" y="{top + height + 16}">{number}</text>')
        for at, (label, clients) in enumerate(lines.items()):
            y = top + ROW * at + ROW // 2
            kind = kind_of(label)
            if panel % 2 == 0:
                name = escape(label)
                out.append(f'<text class="client {kind}" x="{left - 6}" y="{y + 4}">{name}</text>')
            found = {
                size: min(
                    cpu(row)
                    for row in rows
                    if row["client"] in clients and (row["work"], row["bytes"]) == (work, size)
                )
                for size in SIZES
                if any(
                    row["client"] in clients and (row["work"], row["bytes"]) == (work, size)
                    for row in rows
                )
            }
            xs = {size: left + across(value) for size, value in found.items()}
            if len(xs) == len(SIZES):
                begin, end = sorted(xs.values())
                out.append(f'<path class="line {kind}" d="M{begin:.1f} {y}H{end:.1f}"/>')
            out += [mark(size, x, y, kind) for size, x in xs.items()]
    named = [f"{client} {versions[client]}" for client in lines if client in versions]
    out.append(f"<desc>{escape(', '.join(named))}</desc>")
    out.append("</svg>")
    return "\n".join(out) + "\n"
