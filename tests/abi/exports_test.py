#!/usr/bin/env python3
"""Shows exports.py headers, maps and symbol lists that disagree, and wants each found."""

import sys
import unittest

sys.dont_write_bytecode = True

import exports

HEADER = """
#define HAIGHA_VERSION_MAJOR 0
#define HAIGHA_VERSION_MINOR 1
#define HAIGHA_VERSION_PATCH 2
#define HAIGHA_API __attribute__((visibility("default")))
#define haigha_helper(x) \\
    haigha_open((x))
/* HAIGHA_API HAIGHA_BLOCKING int haigha_in_a_comment(void); */
HAIGHA_API HAIGHA_NONBLOCKING int haigha_open(int x);
HAIGHA_API HAIGHA_BLOCKING const char*
haigha_wait(void (*callback)(void));
"""
MAP = """
HAIGHA_0.1 {  # the first
global:
    haigha_open;
local:
    *;
};
HAIGHA_0.2 {
global:
    haigha_wait;
} HAIGHA_0.1;
"""
EXPORTS = {"haigha_open", "haigha_wait"}


class Exports(unittest.TestCase):
    def problems(self, header=HEADER, version_script=MAP, names=frozenset(EXPORTS), version="0.1.2"):
        return exports.compare(header, version_script, lambda nodes: set(names), version)

    def test_agreement(self):
        self.assertEqual([], self.problems())

    def test_nodes_are_not_exports(self):
        self.assertEqual({"HAIGHA_0.1", "HAIGHA_0.2"}, exports.listed(MAP)[1])

    def test_not_in_the_map(self):
        problems = self.problems(version_script=MAP.replace("    haigha_open;\n", ""))
        self.assertEqual(2, len(problems), problems)

    def test_not_in_the_header(self):
        header = HEADER.replace("int haigha_open(int x)", "int haigha_other(int x)")
        self.assertEqual(2, len(self.problems(header=header)))

    def test_not_exported(self):
        self.assertEqual(1, len(self.problems(names={"haigha_open"})))

    def test_a_leaked_symbol(self):
        self.assertEqual(2, len(self.problems(names=EXPORTS | {"_ZSt4cout"})))
        self.assertEqual(1, len(self.problems(names=EXPORTS | {"haigha_leak"})))

    def test_the_mark_of_blocking(self):
        self.assertEqual(1, len(self.problems(header=HEADER.replace("HAIGHA_BLOCKING const", "const"))))

    def test_the_version(self):
        self.assertEqual(1, len(self.problems(version="0.1.3")))


if __name__ == "__main__":
    unittest.main()
