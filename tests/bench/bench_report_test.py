#!/usr/bin/env python3
"""The benchmark's tables and chart say what its rows say."""

from __future__ import annotations

import unittest
import xml.etree.ElementTree

import bench_chart
import bench_report
from bench_report import Row


def row(client: str, cpu_us: float, work: str = "publish", size: int = 1024, **more: object) -> Row:
    return {
        "table": "loopback",
        "bytes": size,
        "work": work,
        "client": client,
        "cpu_us_least": cpu_us,
        "messages_per_s": 1e6 / cpu_us,
        **more,
    }


def goals(*rows: Row) -> dict[tuple[str, str], list[str]]:
    return {(line[1], line[2]): line for line in bench_report.goal_lines(list(rows))}


class Goals(unittest.TestCase):
    def test_are_ratios_to_the_floor_of_the_same_work(self) -> None:
        found = goals(
            row("floor", 0.2),
            row("haigha, owned", 0.259),
            row("haigha, attached", 0.261),
            row("floor", 0.1, work="consume"),
        )
        self.assertEqual(found["publish, plain call", "owned"][7], "met")
        self.assertEqual(found["publish, plain call", "attached"][7], "not met")
        self.assertEqual(len(found), 2)

    def test_are_microseconds_at_16_octets(self) -> None:
        found = goals(row("floor", 0.001, size=16), row("haigha, owned", 0.079, size=16))
        self.assertEqual(found["publish, plain call", "owned"][6:8], ["≤ 0.08 µs", "met"])

    def test_tell_prepared_publishes_from_plain_ones(self) -> None:
        found = goals(
            row("floor", 0.2), row("haigha, owned", 0.3), row("haigha, owned, prepared", 0.21)
        )
        self.assertEqual(found["publish, plain call", "owned"][7], "not met")
        self.assertEqual(found["publish, prepared", "owned, prepared"][7], "met")

    def test_name_the_best_peer(self) -> None:
        rows = [row("floor", 0.2), row("haigha, owned", 0.25), row("slow", 9.0), row("fast", 2.5)]
        self.assertEqual(goals(*rows)["publish, plain call", "owned"][8:], ["fast 2.5 µs", "10×"])

    def test_take_a_lent_body_for_a_prepared_publish_and_no_floor_for_a_peer(self) -> None:
        found = goals(
            row("floor", 2.0, size=16384),
            row("floor, copied", 2.1, size=16384),
            row("haigha, owned, prepared", 2.5, size=16384),
            row("haigha, owned, prepared, lent", 2.1, size=16384),
        )
        line = found["publish, prepared", "owned, prepared, lent"]
        self.assertEqual(line[7:], ["met", "", ""])

    def test_are_not_told_without_a_floor(self) -> None:
        self.assertEqual(goals(row("haigha, owned", 0.25)), {})

    def test_of_a_broker_compare_rates_with_the_fastest_peer(self) -> None:
        work = "publish+confirm"
        rows = [
            row("haigha, owned", 0.5, work, messages_per_s=130_000),
            row("cheap", 1.0, work, messages_per_s=50_000),
            row("fast", 2.0, work, messages_per_s=100_000),
        ]
        (line,) = bench_report.broker_lines(rows)
        self.assertEqual(line[3:7], ["≤ 0.6 µs", "met", "cheap 1 µs", "2×"])
        self.assertEqual(line[8:], ["fast 100 k/s", "1.30×", "≥ 1.3×", "met"])


class Report(unittest.TestCase):
    def test_shows_rows_of_any_table(self) -> None:
        text = bench_report.report(
            [
                row("floor", 0.2, ratio_to_floor=1.0),
                row("lapin", 20.0, ratio_to_floor=100.0),
                {"table": "scale", "what": "channels", "value": 2000, "unit": "1", "ratio": 1.125},
                {"table": "scale", "what": "bodies", "value": 0.5, "unit": "µs", "ratio": None},
            ],
            {"lapin": "4.0"},
        )
        self.assertRegex(text, r"\| lapin 4.0 +\| 20 µs · 50 k/s · 100×")
        self.assertRegex(text, r"\| channels +\| 2000 +\| 1 +\| 1.125 +\|")
        self.assertRegex(text, r"\| bodies +\| 0.5 +\| µs +\| +\|")


class Chart(unittest.TestCase):
    def test_has_a_mark_for_each_figure(self) -> None:
        rows = [
            row(client, cpu_us, size=size)
            for client, cpu_us in (("floor", 0.02), ("haigha, owned", 0.1), ("<peer>", 30.0))
            for size in bench_chart.SIZES
        ]
        rows += [row("haigha, owned, prepared", 0.05, size=16), row("floor", 1.0, size=16384)]
        picture = bench_chart.chart(rows, {"<peer>": "1.0"})
        self.assertEqual(picture, bench_chart.chart(rows, {"<peer>": "1.0"}))
        tree = xml.etree.ElementTree.fromstring(picture)
        marks = [element for element in tree.iter() if element.get("class", "").startswith("mark")]
        key = len(bench_chart.SIZES)
        self.assertEqual(len(marks), key + 3 * len(bench_chart.SIZES))
        self.assertIn("<peer>", [element.text for element in tree.iter()])

    def test_is_not_made_of_nothing(self) -> None:
        self.assertEqual(bench_chart.chart([row("floor", 1.0, size=16384)], {}), "")


if __name__ == "__main__":
    unittest.main()
