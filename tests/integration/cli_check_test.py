#!/usr/bin/env python3
"""haigha check."""

from cli_support import OK, CliTest, main


class Check(CliTest):
    def test_all_is_well(self) -> None:
        done = self.run_tool("check", expect=OK)
        text = done.stdout.decode()
        self.assertRegex(text, r"\n\d+ ok, \d+ no, 0 failed\n$")
        for part in ("product", "frame_max", "user_id", "decimal", "publisher confirms"):
            self.assertIn(part, text)
        self.assertNotIn("FAIL", text)


if __name__ == "__main__":
    main()
