#!/usr/bin/env python3
"""haigha ping."""

from cli_support import OK, CliTest, main


class Ping(CliTest):
    def test_round_trips(self) -> None:
        done = self.run_tool("ping", "-n", "2", "-i", "0", expect=OK).stdout.decode().splitlines()
        self.assertIn("RabbitMQ", done[0])
        self.assertRegex(done[0], r"open in [\d.]+ ms$")
        self.assertRegex(done[2], r"^channel.flow 2: [\d.]+ ms$")
        self.assertRegex(done[3], r"^round trip min/avg/max/stddev = [\d./]+ ms$")


if __name__ == "__main__":
    main()
