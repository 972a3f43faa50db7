"""The benchmark's results as tables of text: figures by size, the goals, and all other rows."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

Row = dict[str, Any]

WORKS = ("publish", "publish+confirm", "consume", "consume+ack")
FLOOR = "floor"
# The floor where each message is first copied into what is written.
COPIED = "floor, copied"
# What haigha's rows begin with; all others are the floors and the peers.
OURS = "haigha"


@dataclass(frozen=True)
class Goal:
    """CPU per message: at most so many microseconds at 16 bytes, or times the floor above that."""

    name: str
    work: str
    prepared: bool | None  # whether by a prepared publisher; None: whichever is less
    limits: dict[int, float]


GOALS = (
    Goal("publish, prepared", "publish", True, {16: 0.05, 1024: 1.2, 16384: 1.1}),
    Goal("publish, plain call", "publish", False, {16: 0.08, 1024: 1.3, 16384: 1.15}),
    Goal("publish + confirm", "publish+confirm", None, {16: 0.12, 1024: 1.5, 16384: 1.2}),
    Goal("consume, no ack", "consume", None, {16: 0.07, 1024: 1.1, 16384: 1.05}),
    Goal("consume + ack each", "consume+ack", None, {16: 0.12, 1024: 1.3, 16384: 1.15}),
)
# Against a broker: CPU per message, and the rate as a multiple of the best peer's.
BROKER_CPU_US = 0.6
BROKER_RATE = 1.3
BROKER_RATE_WORKS = ("publish+confirm", "consume+ack")


def microseconds(value: float) -> str:
    return f"{value:.3f}" if value < 1 else f"{value:.3g}" if value < 100 else f"{value:.0f}"


def times(value: float) -> str:
    return f"{value:.3g}×" if value < 1000 else f"{value:.0f}×"


def rate(value: float) -> str:
    if value >= 1e6:
        return f"{value / 1e6:.3g} M/s"
    return f"{value / 1e3:.3g} k/s" if value >= 1e3 else f"{value:.0f} /s"


def markdown(heading: Iterable[str], rows: Iterable[Iterable[str]]) -> str:
    lines = [list(heading), *(list(row) for row in rows)]
    widths = [max(len(line[at]) for line in lines) for at in range(len(lines[0]))]

    def text(line: list[str]) -> str:
        cells = (cell.ljust(width) for cell, width in zip(line, widths, strict=True))
        return "| " + " | ".join(cells) + " |"

    rule = "| " + " | ".join("-" * width for width in widths) + " |"
    return "\n".join([text(lines[0]), rule, *map(text, lines[1:])])


def distinct(rows: Iterable[Row], key: str) -> list[Any]:
    return list(dict.fromkeys(row[key] for row in rows))


def size_name(size: int) -> str:
    return f"{size // 1024} KiB" if size >= 1024 else f"{size} B"


def cpu(row: Row) -> float:
    return float(row["cpu_us_least"])


def is_peer(row: Row) -> bool:
    return row["client"] not in (FLOOR, COPIED) and not row["client"].startswith(OURS)


def figures_table(rows: list[Row], size: int, versions: dict[str, str]) -> str:
    def line(client: str) -> list[str]:
        name = f"{client} {versions[client]}" if client in versions else client
        cells = [name]
        for work in WORKS:
            found = [row for row in rows if row["client"] == client and row["work"] == work]
            if not found:
                cells.append("")
                continue
            row = found[0]
            cell = f"{microseconds(cpu(row))} µs · {rate(row['messages_per_s'])}"
            if "ratio_to_floor" in row and client != FLOOR:
                cell += f" · {times(row['ratio_to_floor'])}"
            cells.append(cell)
        return cells

    rows = [row for row in rows if row["bytes"] == size]
    return markdown([size_name(size), *WORKS], map(line, distinct(rows, "client")))


def goal_lines(rows: list[Row]) -> Iterable[list[str]]:
    for size in distinct(rows, "bytes"):
        for goal in GOALS:
            here = [row for row in rows if row["bytes"] == size and row["work"] == goal.work]
            floor = next((row for row in here if row["client"] == FLOOR), None)
            peer = min(filter(is_peer, here), key=cpu, default=None)
            if floor is None or size not in goal.limits:
                continue
            for loop in ("owned", "attached"):
                ours = [
                    row
                    for row in here
                    if row["client"].startswith(f"{OURS}, {loop}")
                    and goal.prepared in (None, "prepared" in row["client"])
                ]
                if not ours:
                    continue
                best = min(ours, key=cpu)
                limit, ratio = goal.limits[size], cpu(best) / cpu(floor)
                met = (cpu(best) if size == 16 else ratio) <= limit
                yield [
                    size_name(size),
                    goal.name,
                    best["client"].removeprefix(f"{OURS}, "),
                    f"{microseconds(cpu(best))} µs",
                    f"{microseconds(cpu(floor))} µs",
                    f"{ratio:.2f}×",
                    f"≤ {limit:.2f} µs" if size == 16 else f"≤ {limit:.2f}×",
                    "met" if met else "not met",
                    f"{peer['client']} {microseconds(cpu(peer))} µs" if peer else "",
                    times(cpu(peer) / cpu(best)) if peer else "",
                ]


def broker_lines(rows: list[Row]) -> Iterable[list[str]]:
    for size in distinct(rows, "bytes"):
        for work in WORKS:
            here = [row for row in rows if row["bytes"] == size and row["work"] == work]
            peers = list(filter(is_peer, here))
            cheap = min(peers, key=cpu, default=None)
            fast = max(peers, key=lambda row: row["messages_per_s"], default=None)
            for ours in here:
                if is_peer(ours):
                    continue
                met = cpu(ours) <= BROKER_CPU_US
                line = [work, ours["client"], f"{microseconds(cpu(ours))} µs"]
                line += [f"≤ {BROKER_CPU_US} µs", "met" if met else "not met"]
                line += [
                    f"{cheap['client']} {microseconds(cpu(cheap))} µs" if cheap else "",
                    times(cpu(cheap) / cpu(ours)) if cheap else "",
                    rate(ours["messages_per_s"]),
                ]
                if fast:
                    faster = ours["messages_per_s"] / fast["messages_per_s"]
                    line += [f"{fast['client']} {rate(fast['messages_per_s'])}", f"{faster:.2f}×"]
                    has_goal = work in BROKER_RATE_WORKS
                    line += [f"≥ {BROKER_RATE}×" if has_goal else ""]
                    line += [("met" if faster >= BROKER_RATE else "not met") if has_goal else ""]
                else:
                    line += ["", "", "", ""]
                yield line


def plain_table(rows: list[Row]) -> str:
    keys = list(dict.fromkeys(key for row in rows for key in row if key != "table"))

    def text(value: object) -> str:
        if value is None:
            return ""
        return f"{value:.4g}" if isinstance(value, float) else str(value)

    return markdown(keys, ([text(row.get(key, "")) for key in keys] for row in rows))


def report(rows: list[Row], versions: dict[str, str]) -> str:
    """Everything, as Markdown."""
    parts: list[str] = []
    loopback = [row for row in rows if row["table"] == "loopback"]
    broker = [row for row in rows if row["table"] == "broker"]
    tls = [row for row in rows if row["table"] == "tls"]
    for table in (loopback, tls):
        parts += [figures_table(table, size, versions) for size in distinct(table, "bytes")]
    goals = list(goal_lines(loopback))
    if goals:
        parts.append(
            markdown(
                ["size", "goal", "haigha", "CPU", "floor", "ratio", "limit", "", "best peer", ""],
                goals,
            )
        )
    for size in distinct(broker, "bytes"):
        parts.append(figures_table(broker, size, versions))
    if broker:
        parts.append(
            markdown(
                ["work", "client", "CPU", "limit", "", "least of the peers", "", "rate"]
                + ["best peer", "", "limit", ""],
                broker_lines(broker),
            )
        )
    others = [row for row in rows if row["table"] not in ("loopback", "tls", "broker")]
    for table in distinct(others, "table"):
        parts.append(
            f"{table}:\n\n" + plain_table([row for row in others if row["table"] == table])
        )
    return "\n\n".join(parts)
