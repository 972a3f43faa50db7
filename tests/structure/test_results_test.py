#!/usr/bin/env python3
"""Tests tools/test_results.py: what is counted of a run of Meson's tests."""

import importlib.util
import os
import sys
import tempfile
import unittest
from collections.abc import Sequence
from typing import Any

PATH = os.path.join(os.path.dirname(os.path.abspath(__file__)), "..", "..", "tools", "test_results.py")
spec = importlib.util.spec_from_file_location("test_results", PATH)
assert spec is not None and spec.loader is not None
test_results = importlib.util.module_from_spec(spec)
spec.loader.exec_module(test_results)


def entry(name: str, result: str = "OK", stdout: str = "", stderr: str = "") -> dict[str, Any]:
    return {"name": name, "result": result, "command": ["/b/" + name], "stdout": stdout, "stderr": stderr}


class Count(unittest.TestCase):
    def count(self, *log: dict[str, Any], status: int = 0, reports: Sequence[tuple[str, str]] = ()) -> Any:
        with tempfile.TemporaryDirectory() as folder:
            for name, text in reports:
                with open(os.path.join(folder, name + ".xml"), "w", encoding="utf-8") as file:
                    file.write(text)
            return test_results.count(log, folder, status)

    def test_any_test_is_one(self) -> None:
        log = [entry("a"), entry("b", "FAIL"), entry("c", "SKIP")]
        self.assertEqual((1, ["b (FAIL)"], ["c"]), self.count(*log, status=1))

    def test_each_case_of_googletest(self) -> None:
        cases = '<testcase classname="S" name="{}" status="run" result="completed">{}</testcase>'
        report = f"<x>{cases.format('A', '')}{cases.format('B', '<failure/>')}</x>"
        counted = self.count(entry("p", "FAIL"), status=1, reports=[("p", report)])
        self.assertEqual((1, ["p: S.B"], []), counted)

    def test_each_test_of_a_program_that_counts_them(self) -> None:
        self.assertEqual((12, [], []), self.count(entry("p", stdout="...\n12 passed, 0 failed\n")))
        stderr = (
            "ERROR: test_a (x.C.test_a)\n---\nTraceback\n\n"
            "FAIL: test_b (x.C.test_b) (['one'])\n---\n\nFAIL: test_b (x.C.test_b) (['two'])\n"
        )
        log = entry("p", "FAIL", "3 passed, 2 failed\n", stderr)
        failed = ["p: test_a (x.C.test_a)", "p: test_b (x.C.test_b)"]
        self.assertEqual((3, failed, []), self.count(log, status=1))

    def test_a_program_that_ends_badly_after_its_count(self) -> None:
        log = entry("p", "FAIL", "3 passed, 0 failed\n")
        self.assertEqual((3, ["p (FAIL)"], []), self.count(log, status=1))

    def test_a_count_that_is_not_the_last_line_is_none(self) -> None:
        self.assertEqual((1, [], []), self.count(entry("p", stdout="3 passed, 0 failed\nand more\n")))

    def test_meson_itself(self) -> None:
        self.assertEqual((0, ["`meson test` itself (exit status 3)"], []), self.count(status=3))


if __name__ == "__main__":
    sys.exit(0 if unittest.main(exit=False).result.wasSuccessful() else 1)
