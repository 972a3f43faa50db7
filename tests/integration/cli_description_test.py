#!/usr/bin/env python3
"""What the tool says of itself: completion, the manual page, help."""

import os
import re
import shutil
import subprocess
import tempfile
import unittest

from cli_support import OK, PATIENCE_SECONDS, USAGE, CliTest, main


class Description(CliTest):
    """What shells and man are told is what --help tells."""

    COMMANDS = ("publish", "consume", "get", "rpc", "serve", "ping", "queue", "bench", "check")

    def complete(self, *words: str) -> list[str]:
        """What bash offers for the last of these words."""
        script = self.run_tool("completion", "bash", expect=OK).stdout.decode()
        quoted = " ".join("'" + word + "'" for word in ("haigha", *words))
        script += f"COMP_WORDS=({quoted}); COMP_CWORD={len(words)}; _haigha; printf '%s\\n' \"${{COMPREPLY[@]}}\""
        done = subprocess.run(
            ["bash", "-c", script], capture_output=True, check=False, text=True, timeout=PATIENCE_SECONDS
        )
        self.assertEqual("", done.stderr)
        return done.stdout.split()

    def test_bash_completes(self) -> None:
        for command in self.COMMANDS:
            self.assertIn(command, self.complete(""))
        self.assertEqual(["publish"], self.complete("pub"))
        self.assertEqual(["--mandatory"], self.complete("publish", "--mand"))
        self.assertEqual(["declare", "delete"], sorted(self.complete("queue", "de")))
        self.assertEqual(["--type"], self.complete("queue", "declare", "--ty"))
        self.assertEqual(["json"], self.complete("get", "--format", "j"))
        self.assertEqual(["--json"], self.complete("publish", "--js"))
        self.assertEqual(["--progress"], self.complete("consume", "--pro"))
        with tempfile.TemporaryDirectory() as folder:
            name = os.path.join(folder, "result.svg")
            with open(name, "w"):
                pass
            self.assertEqual([name], self.complete("bench", "--svg", os.path.join(folder, "re")))

    def test_each_option_is_in_the_manual_and_in_fish(self) -> None:
        manual = self.run_tool("manual", expect=OK).stdout.decode().replace("\\-", "-")
        fish = self.run_tool("completion", "fish", expect=OK).stdout.decode()
        for command in self.COMMANDS:
            self.assertIn(f".SS haigha {command}\n", manual)
            self.assertIn(f" -a {command} ", fish)
            for option in re.findall(r"--([a-z-]+)", self.run_tool(command, "--help", expect=OK).stdout.decode()):
                self.assertIn("--" + option, manual, command)
        self.assertIn("-l mandatory", fish)
        self.assertRegex(fish, r"(?m)^complete -c haigha -n '__fish_seen_subcommand_from bench' -l svg -r -F ")
        zsh = self.run_tool("completion", "zsh", expect=OK).stdout.decode()
        self.assertTrue(zsh.startswith("#compdef haigha\n"))
        self.assertIn("--cluster-id", zsh)
        self.run_tool("completion", "tcsh", expect=USAGE)

    @unittest.skipUnless(shutil.which("man"), "there is no man")
    def test_man_reads_the_manual_without_a_warning(self) -> None:
        manual = self.run_tool("manual", expect=OK).stdout
        done = subprocess.run(
            ["man", "--warnings=all", "-l", "-"],
            input=manual,
            capture_output=True,
            check=False,
            timeout=PATIENCE_SECONDS,
        )
        self.assertEqual(b"", done.stderr)
        self.assertIn(b"haigha publish", done.stdout)


if __name__ == "__main__":
    main()
