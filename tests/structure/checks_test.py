#!/usr/bin/env python3
"""Shows the checks of this folder small trees with one violation each, and wants each found."""

import os
import sys
import tempfile
import unittest

sys.dont_write_bytecode = True

import build_lists
import documented_tests
import file_names
import import_rules
import quoted_programs


class TreeTest(unittest.TestCase):
    """A tree in a temporary folder; `tree` maps paths to contents."""

    def problems(self, check, tree):
        with tempfile.TemporaryDirectory() as root:
            for path, text in tree.items():
                full = os.path.join(root, path)
                os.makedirs(os.path.dirname(full), exist_ok=True)
                with open(full, "w", encoding="utf-8") as file:
                    file.write(text)
            return check(root)[0]


class ImportRules(TreeTest):
    def assert_allowed(self, path, name, **others):
        self.assertEqual([], self.problems(import_rules.check, {path: f"#include {name}\n", **others}))

    def assert_refused(self, path, name):
        found = self.problems(import_rules.check, {path: f"// a comment\n#include {name}\n"})
        self.assertEqual(1, len(found), found)
        self.assertTrue(found[0].startswith(f"{path}:2: "), found[0])

    def test_allowed_directions(self):
        self.assert_allowed("src/base/error.h", "<string>")
        self.assert_allowed("src/wire/frame.h", '"base/error.h"')
        self.assert_allowed("src/wire/frame.h", '"wire/cursor.h"')
        self.assert_allowed("src/protocol/machine.h", '"wire/frame.h"')
        self.assert_allowed("src/transport/loop.h", "<uv.h>")
        self.assert_allowed("src/transport/tls.h", "<openssl/ssl.h>")
        self.assert_allowed("src/transport/socket.cpp", "<sys/socket.h>")
        self.assert_allowed("src/client/connection.h", '"protocol/machine.h"')
        self.assert_allowed("src/client/connection.h", '"transport/loop.h"')
        self.assert_allowed("capi/boundary.h", "<haigha/haigha.h>")
        self.assert_allowed("tools/main.cpp", "<CLI/CLI.hpp>")
        self.assert_allowed("tools/main.cpp", '"progress.h"')
        self.assert_allowed("examples/embed.c", "<uv.h>")
        self.assert_allowed("tests/unit/frame_test.cpp", '"wire/frame.h"')

    def test_refused_directions(self):
        self.assert_refused("src/base/error.h", '"wire/frame.h"')
        self.assert_refused("src/wire/frame.h", "<unistd.h>")
        self.assert_refused("src/wire/frame.h", '"protocol/machine.h"')
        self.assert_refused("src/wire/frame.h", "<uv.h>")
        self.assert_refused("src/wire/frame.h", "<sys/socket.h>")
        self.assert_refused("src/wire/frame.h", "<haigha/haigha.h>")
        self.assert_refused("src/protocol/machine.h", '"transport/loop.h"')
        self.assert_refused("src/protocol/machine.h", "<openssl/ssl.h>")
        self.assert_refused("src/protocol/machine.h", "<mutex>")
        self.assert_refused("src/transport/loop.h", '"wire/frame.h"')
        self.assert_refused("src/transport/loop.h", '"protocol/machine.h"')
        self.assert_refused("src/client/connection.h", "<uv.h>")
        self.assert_refused("src/client/connection.h", "<openssl/ssl.h>")
        self.assert_refused("src/client/connection.h", '"haigha/haigha.h"')
        self.assert_refused("capi/boundary.h", '"protocol/machine.h"')
        self.assert_refused("capi/boundary.h", '"transport/loop.h"')
        self.assert_refused("capi/boundary.h", "<uv.h>")
        self.assert_refused("include/haigha/haigha.h", "<uv.h>")
        self.assert_refused("include/haigha/haigha.hpp", '"client/connection.h"')

    def test_programs_see_the_public_header_alone(self):
        for room in ("tools", "examples", "bindings/python", "tests/integration"):
            for name in ("src/client/connection.h", "capi/boundary.h"):
                tree = {name: "", f"{room}/program.cpp": f'#include "{name}"\n'}
                self.assertEqual(1, len(self.problems(import_rules.check, tree)), (room, name))
        self.assert_refused("tools/main.cpp", '"client/connection.h"')
        self.assert_refused("tools/main.cpp", '"../src/client/connection.h"')

    def test_a_path_relative_to_the_file_is_followed(self):
        tree = {"src/wire/frame.h": '#include "../protocol/machine.h"\n', "src/protocol/machine.h": ""}
        self.assertEqual(1, len(self.problems(import_rules.check, tree)))

    def test_unknown_room(self):
        self.assertEqual(1, len(self.problems(import_rules.check, {"src/misc/junk.h": ""})))

    def test_an_include_in_a_comment_is_none(self):
        tree = {"src/wire/frame.h": "/*\n#include <uv.h>\n*/\n"}
        self.assertEqual([], self.problems(import_rules.check, tree))


class FileNames(TreeTest):
    def test_unique(self):
        tree = {"src/wire/frame.h": "", "src/wire/frame.cpp": "", "build/src/frame.h": ""}
        self.assertEqual([], self.problems(file_names.check, tree))

    def test_twice(self):
        tree = {"src/wire/frame.h": "", "tests/support/frame.h": ""}
        self.assertEqual(1, len(self.problems(file_names.check, tree)))

    def test_names_fixed_by_a_language(self):
        tree = {"bindings/python/haigha/__init__.py": "", "bindings/python/tests/__init__.py": ""}
        self.assertEqual([], self.problems(file_names.check, tree))


class BuildLists(TreeTest):
    def test_listed(self):
        tree = {"src/meson.build": "files('wire/frame.cpp')", "src/wire/frame.cpp": ""}
        self.assertEqual([], self.problems(build_lists.check, tree))

    def test_forgotten(self):
        tree = {"src/meson.build": "files('wire/frame.cpp')", "src/wire/frame.cpp": "", "src/wire/me.cpp": ""}
        self.assertEqual(1, len(self.problems(build_lists.check, tree)))

    def test_the_nearest_meson_build_counts(self):
        tree = {
            "tests/meson.build": "'unit/frame_test.cpp'",
            "tests/unit/meson.build": "",
            "tests/unit/frame_test.cpp": "",
        }
        self.assertEqual(1, len(self.problems(build_lists.check, tree)))


class DocumentedTests(TreeTest):
    TEST = {"tests/unit/frame_test.cpp": "TEST(Frame,\n     IsRead) {}"}

    def test_existing(self):
        tree = {"docs/technical.md": "| framed | `Frame.IsRead` |", **self.TEST}
        self.assertEqual([], self.problems(documented_tests.check, tree))

    def test_renamed(self):
        tree = {"docs/technical.md": "| framed | `Frame.IsRead`, `Frame.IsWritten` |", **self.TEST}
        self.assertEqual(1, len(self.problems(documented_tests.check, tree)))

    def test_fuzz_targets(self):
        tree = {"docs/rules.md": "`fuzz_table`, `fuzz_tables`", "tests/fuzz/fuzz_table.cpp": ""}
        self.assertEqual(1, len(self.problems(documented_tests.check, tree)))

    def test_python_tests(self):
        tree = {"docs/python.md": "`test_ack`, `test_acks`", "bindings/python/tests/test_a.py": "async def test_ack(api):\n"}
        self.assertEqual(1, len(self.problems(documented_tests.check, tree)))

    def test_go_tests(self):
        tree = {"docs/go.md": "`TestAck`, `TestAcks`", "bindings/go/a_test.go": "func TestAck(t *testing.T) {}\n"}
        self.assertEqual(1, len(self.problems(documented_tests.check, tree)))


class QuotedPrograms(TreeTest):
    PAGE = "docs/tutorials.md"
    FILE = "examples/tutorials/send.c"
    PROGRAM = f"/* {FILE}: sends. */\nint main(void) {{}}\n"

    def found(self, tree):
        return self.problems(quoted_programs.check, tree)

    def test_quoted_word_for_word(self):
        page = f"# Sending\n\n```c\n{self.PROGRAM}```\n"
        self.assertEqual([], self.found({self.PAGE: page, self.FILE: self.PROGRAM}))
        changed = self.PROGRAM.replace("{}", "{ }")
        self.assertEqual(
            [f"{self.PAGE}: {self.FILE} is another program by now"],
            self.found({self.PAGE: page, self.FILE: changed}),
        )
        self.assertIn(f"{self.PAGE}: there is no {self.FILE}", self.found({self.PAGE: page}))

    def test_every_tutorial_is_shown(self):
        self.assertEqual(
            [f"{self.FILE}: no page of docs/ shows it"],
            self.found({self.PAGE: "# Sending\n", self.FILE: self.PROGRAM}),
        )


if __name__ == "__main__":
    unittest.main()
