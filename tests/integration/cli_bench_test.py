#!/usr/bin/env python3
"""haigha bench: what it measures, and that it finds what is missing."""

import json
import os
import signal
import tempfile
import time
import xml.etree.ElementTree
from typing import Any

from cli_support import (
    EMPTY,
    FAILED,
    INTERRUPTED,
    OK,
    PATIENCE_SECONDS,
    USAGE,
    CliTest,
    main,
)


class Bench(CliTest):
    def bench(self, *arguments: str, expect: int = OK) -> Any:
        done = self.run_tool("bench", "--json", *arguments, expect=expect)
        return json.loads(done.stdout)

    def assert_all_well(self, result: Any, count: int) -> None:
        self.assertTrue(result["ok"], result)
        self.assertEqual(count, result["published"]["messages"])
        self.assertEqual(count, result["consumed"]["messages"])
        for trouble in ("missing", "duplicate", "corrupt"):
            self.assertEqual(0, result["verify"][trouble])

    def test_verified(self) -> None:
        result = self.bench("-n", "3000", "--confirm", "--ack", "--persistent", "--verify")
        self.assert_all_well(result, 3000)
        self.assertEqual(3000, result["confirmed"]["messages"])
        for latency in result["latency_us"].values():
            self.assertLessEqual(latency["p50"], latency["p99"])
            self.assertLessEqual(latency["p99"], latency["max"])

    def test_modes(self) -> None:
        for arguments in (
            ["--verify"],
            ["--verify", "--tx", "100"],
            ["--verify", "--confirm", "--channels", "4", "--consumers", "3", "--window", "7"],
            ["--verify", "--confirm", "--ack", "--size", "300000", "--prefetch", "5"],
            ["--size", "0"],
            ["--size", "16", "--ack", "--prefetch", "1"],
        ):
            with self.subTest(arguments):
                self.assert_all_well(self.bench("-n", "250", *arguments), 250)

    def test_rate_and_duration(self) -> None:
        result = self.bench("--rate", "200", "--duration", "1", "--confirm", "--verify")
        self.assertTrue(result["ok"], result)
        self.assertAlmostEqual(200, result["published"]["messages"], delta=60)

    def test_publish_first_and_consume_later(self) -> None:
        queue = self.queue()
        self.bench("-q", queue, "--consumers", "0", "-n", "500", "--confirm")
        result = self.bench("-q", queue, "--channels", "0", "-n", "500", "--ack", "--verify")
        self.assertEqual(500, result["consumed"]["messages"])
        self.run_tool("get", "-q", queue, expect=EMPTY)

    def test_what_lay_in_the_queue_is_no_part_of_the_run(self) -> None:
        queue = self.queue()
        self.run_tool("publish", "-r", queue, "--count", "3", "x" * 1024, expect=OK)
        result = self.bench("-q", queue, "-n", "100", "--verify", "--confirm")
        self.assert_all_well(result, 100)
        self.assertEqual(3, result["verify"]["foreign"])

    def test_missing_messages_are_found(self) -> None:
        # Another consumer takes its share.
        queue = self.queue()
        self.start_tool("consume", "-q", queue, "--no-ack")
        time.sleep(0.5)
        result = self.bench("-q", queue, "-n", "200", "--verify", "--confirm", "--timeout", "2", expect=FAILED)
        self.assertFalse(result["ok"])
        self.assertGreater(result["verify"]["missing"], 0)
        self.assertEqual(200, result["verify"]["missing"] + result["consumed"]["messages"])

    def test_interrupted(self) -> None:
        process = self.start_tool("bench", "--rate", "100", "--duration", "100", "--confirm", "--json")
        time.sleep(1.5)
        process.send_signal(signal.SIGINT)
        stdout, _ = process.communicate(timeout=PATIENCE_SECONDS)
        self.assertEqual(INTERRUPTED, process.returncode)
        result = json.loads(stdout)
        self.assertEqual(result["published"]["messages"], result["confirmed"]["messages"])
        self.assertGreater(result["published"]["messages"], 0)

    def test_what_happened_over_time_is_in_the_result(self) -> None:
        result = self.bench("--rate", "500", "--duration", "1", "--confirm")
        timeline = result["timeline"]
        self.assertEqual({"seconds": 0.0, "published": 0, "confirmed": 0, "consumed": 0}, timeline[0])
        for what in ("published", "confirmed", "consumed"):
            counts = [sample[what] for sample in timeline]
            self.assertEqual(sorted(counts), counts)
            self.assertEqual(result[what]["messages"], counts[-1])
        self.assertGreater(len(timeline), 4)
        for latency in result["latency_us"].values():
            messages = sum(step["messages"] for step in latency["histogram"])
            self.assertEqual(result["published"]["messages"], messages)
            self.assertLessEqual(latency["max"], latency["histogram"][-1]["up_to"])

    def test_svg(self) -> None:
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "result.svg")
            for arguments, titles in (
                (["--confirm", "--ack"], ["Throughput", "messages a second", "Latency", "percentile", "confirmed"]),
                (["--consumers", "0"], ["Throughput", "seconds from the beginning", "published"]),
            ):
                self.run_tool("bench", "-n", "200", "--svg", name, *arguments, expect=OK)
                texts = [
                    text.text for text in xml.etree.ElementTree.parse(name).iter("{http://www.w3.org/2000/svg}text")
                ]
                for title in titles:
                    self.assertIn(title, texts)
            done = self.run_tool("bench", "-n", "1", "--svg", os.path.join(folder, "no", "folder"), expect=USAGE)
            self.assert_one_sentence(done, "cannot write")

    def test_table(self) -> None:
        done = self.run_tool("bench", "-n", "100", "--confirm", "--ack", "--verify", expect=OK)
        text = done.stdout.decode()
        for part in ("published", "confirmed", "consumed", "p99.9", "up to", "each arrived exactly once, intact"):
            self.assertIn(part, text)
        self.assertNotIn("\033", text)


if __name__ == "__main__":
    main()
