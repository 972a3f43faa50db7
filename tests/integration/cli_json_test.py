#!/usr/bin/env python3
"""haigha consume --json and haigha publish --json: a message that goes through both is the same."""

import json
import shutil
import subprocess
import unittest
from typing import Any

from cli_support import FAILED, OK, PATIENCE_SECONDS, USAGE, CliTest, main

# A value of each type, as consume prints it.
EVERY_FIELD: dict[str, Any] = {
    "bool": True,
    "void": None,
    "string": "Gr\u00fc\u00dfe \U0001f407",
    "octets as a string": {"base64": "AP+A"},
    "bytes": {"bytes": "AP+A"},
    "int8": {"int8": -128},
    "uint8": {"uint8": 255},
    "int16": {"int16": -32768},
    "uint16": {"uint16": 65535},
    "int32": -2147483648,
    "uint32": {"uint32": 4294967295},
    "int64, small": {"int64": 7},
    "int64, large": {"int64": "-9223372036854775808"},
    "timestamp": {"timestamp": 1700000000},
    "timestamp, the last": {"timestamp": "18446744073709551615"},
    "float": {"float": 0.1},
    "double": 0.1,
    "double, whole": {"double": 3.0},
    "double, minus zero": {"double": "-0"},
    "double, large": {"double": 1e300},
    "decimal": {"decimal": "-3.1416"},
    "decimal, 255 places": {"decimal": "0." + "2147483647".rjust(255, "0")},
    "array": [1, "x", {"uint8": 1}, [], {}, None],
    "table": {"a": {"int64": 1}, "b": {"c": {"bytes": ""}}},
    "like a type": {"table": {"int8": 1}},
    "twice": {"fields": [["a", 1], ["a", {"int64": 2}], [{"base64": "/w=="}, "x"]]},
}
# All 14 but the user_id, which the broker compares with the connection's, and the headers.
EVERY_PROPERTY: dict[str, Any] = {
    "content_type": "text/plain",
    "content_encoding": "gzip",
    "correlation_id": {"base64": "/wA="},
    "reply_to": "r",
    "expiration": "60000",
    "message_id": "",
    "type": "t",
    "app_id": "a",
    "cluster_id": "c",
    "delivery_mode": 2,
    "priority": 255,
    "timestamp": "18446744073709551615",
}


class JsonRoundTrip(CliTest):
    def publish(self, *messages: Any, options: tuple[str, ...] = (), expect: int = OK) -> bytes:
        lines = "".join((one if isinstance(one, str) else json.dumps(one)) + "\n" for one in messages)
        return self.run_tool("publish", "--json", *options, stdin=lines.encode(), expect=expect).stderr

    def consume(self, queue: str, count: int = 1) -> bytes:
        return self.run_tool("consume", "-q", queue, "-n", str(count), "--json", expect=OK).stdout

    def messages(self, queue: str, count: int = 1) -> list[dict[str, Any]]:
        return [json.loads(line) for line in self.consume(queue, count).splitlines()]

    def test_each_field_type_and_property(self) -> None:
        queue = self.queue()
        body = {"base64": "AP+A"}
        self.publish({"routing_key": queue, "headers": EVERY_FIELD, "properties": EVERY_PROPERTY, "body": body})
        (got,) = self.messages(queue)
        # RabbitMQ 4 sorts the fields of headers; those of nested tables stay where they are.
        self.assertEqual(EVERY_FIELD, got["headers"])
        self.assertEqual(EVERY_PROPERTY, got["properties"])
        self.assertEqual(body, got["body"])

    def test_what_was_printed_is_published_as_it_was(self) -> None:
        queue = self.queue()
        sent = [
            {"routing_key": queue, "headers": EVERY_FIELD, "properties": EVERY_PROPERTY, "body": "x"},
            {"routing_key": queue, "body": {"base64": "/w=="}},
            {"routing_key": queue, "headers": {}, "body": ""},
        ]
        self.publish(*sent)
        first = self.consume(queue, 3)
        self.assertIn(b'"headers":null', first.splitlines()[1])
        self.assertIn(b'"headers":{}', first.splitlines()[2])
        self.run_tool("publish", "--json", stdin=first, expect=OK)
        self.assertEqual(first, self.consume(queue, 3))

    @unittest.skipUnless(shutil.which("jq"), "there is no jq")
    def test_jq_between_them_changes_what_it_is_told_to(self) -> None:
        queue, other = self.queue(), self.queue()
        self.publish({"routing_key": queue, "headers": EVERY_FIELD, "properties": EVERY_PROPERTY, "body": "x"})
        printed = self.consume(queue)
        program = f'.headers.added = 1 | .properties.type = "changed" | .routing_key = "{other}"'
        done = subprocess.run(
            ["jq", "-c", program], input=printed, capture_output=True, check=True, timeout=PATIENCE_SECONDS
        )
        self.run_tool("publish", "--json", stdin=done.stdout, expect=OK)
        (got,) = self.messages(other)
        self.assertEqual({**EVERY_FIELD, "added": 1}, got["headers"])
        self.assertEqual({**EVERY_PROPERTY, "type": "changed"}, got["properties"])

    def test_options_win(self) -> None:
        queue, exchange = self.queue(), "haigha-no-such-exchange"
        message = {
            "exchange": exchange,
            "routing_key": "nowhere",
            "properties": {"type": "line's", "app_id": "line's"},
            "headers": {"a": {"int64": 1}, "b": {"int64": 2}},
            "body": "x",
        }
        self.assertIn(exchange.encode(), self.publish(message, expect=FAILED))
        self.publish(
            message,
            options=("-e", "", "-r", queue, "--type", "option's", "--header", "b=3", "--persistent"),
        )
        (got,) = self.messages(queue)
        self.assertEqual("", got["exchange"])
        self.assertEqual({"a": {"int64": 1}, "b": "3"}, got["headers"])
        self.assertEqual({"type": "option's", "app_id": "line's", "delivery_mode": 2}, got["properties"])

    def test_a_line_that_is_no_message(self) -> None:
        queue = self.queue()
        good = {"routing_key": queue, "body": "x"}
        for bad, sentence in (
            ("{", "line 4: no JSON, at its octet 2: "),
            ({"routing_key": queue, "body": 1}, "line 4: body: 1 is neither text nor "),
            ({"body": "x", "headers": {"a": [{"uint8": 256}]}}, "line 4: headers.a[0].uint8: 256 is no uint8"),
            ({"body": "x", "headers": {"a": {"double": "nan"}}}, "line 4: headers.a: the field"),
            ({"body": "x", "routing_key": "k" * 256}, "line 4: "),
        ):
            with self.subTest(sentence):
                # What stands behind it is not published; the empty line is counted.
                stderr = self.publish(good, "", good, bad, good, expect=FAILED).decode().splitlines()
                self.assertTrue(stderr[0].startswith("haigha: " + sentence), stderr)
                self.assertEqual(["haigha: of 2 messages: none failed"], stderr[1:])
                shown = self.run_tool("queue", "purge", queue, expect=OK).stdout
                self.assertEqual(b"2 messages purged\n", shown)

    def test_get_and_rpc_print_the_same(self) -> None:
        queue = self.queue()
        self.publish({"routing_key": queue, "headers": EVERY_FIELD, "body": "x"})
        got = json.loads(self.run_tool("get", "-q", queue, "--json", expect=OK).stdout)
        self.assertEqual(EVERY_FIELD, got["headers"])
        server = self.start_tool("serve", "-q", queue, "--count", "1", "--", "cat")
        answer = json.loads(self.run_tool("rpc", "-r", queue, "--json", "hello", expect=OK).stdout)
        self.assertEqual("hello", answer["body"])
        self.assertEqual(OK, server.wait(PATIENCE_SECONDS))

    def test_what_does_not_go_with_it(self) -> None:
        for arguments in (["x"], ["--lines"], ["--count", "2"]):
            self.run_tool("publish", "--json", *arguments, expect=USAGE)


if __name__ == "__main__":
    main()
