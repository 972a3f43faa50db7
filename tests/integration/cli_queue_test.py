#!/usr/bin/env python3
"""haigha queue: makes, binds, shows, empties and deletes queues."""

import uuid

from cli_support import EMPTY, FAILED, OK, USAGE, CliTest, main


class Queue(CliTest):
    def test_from_its_making_to_its_end(self) -> None:
        name = "haigha-cli-test-" + uuid.uuid4().hex
        self.run_tool("queue", "show", name, expect=FAILED)
        # Twice: it is just like it.
        for _ in range(2):
            self.run_tool("queue", "declare", name, expect=OK)
        shown = self.run_tool("queue", "show", name, expect=OK).stdout
        self.assertEqual(b"0 messages ready, 0 consumers\n", shown)
        self.run_tool("publish", "-r", name, "--count", "3", "x", expect=OK)
        self.assertEqual(b"3 messages ready, 0 consumers\n", self.run_tool("queue", "show", name, expect=OK).stdout)
        self.assertEqual(b"3 messages purged\n", self.run_tool("queue", "purge", name, expect=OK).stdout)
        self.run_tool("get", "-q", name, expect=EMPTY)
        self.run_tool("publish", "-r", name, "--count", "2", "x", expect=OK)
        self.assertEqual(b"deleted, with 2 messages\n", self.run_tool("queue", "delete", name, expect=OK).stdout)
        done = self.run_tool("queue", "show", name, expect=FAILED)
        self.assert_one_sentence(done, name)

    def test_another_queue_of_the_name_is_in_the_way(self) -> None:
        name = self.queue()
        for arguments in (["--transient"], ["--type", "quorum"], ["--argument", "x-max-length=5"]):
            done = self.run_tool("queue", "declare", name, *arguments, expect=FAILED)
            self.assert_one_sentence(done, name)

    def test_arguments_have_their_types(self) -> None:
        # Text where the broker wants a number would be refused.
        name = self.queue("--type", "classic", "--argument", "x-max-length=2", "--argument", "x-overflow=drop-head")
        self.run_tool("publish", "-r", name, "--lines", stdin=b"a\nb\nc\n", expect=OK)
        self.assertEqual(b"b\nc\n", self.run_tool("consume", "-q", name, "-n", "2", expect=OK).stdout)
        self.run_tool("queue", "declare", name, "--argument", "x-max-length", expect=USAGE)

    def test_it_is_bound_to_an_exchange(self) -> None:
        key = "haigha-cli-test." + uuid.uuid4().hex
        name = self.queue("-e", "amq.topic", "-r", key + ".*")
        self.run_tool("publish", "-e", "amq.topic", "-r", key + ".yes", "--mandatory", "x", expect=OK)
        self.run_tool("publish", "-e", "amq.topic", "-r", key, "--mandatory", "x", expect=FAILED)
        self.assertEqual(b"x\n", self.run_tool("get", "-q", name, expect=OK).stdout)
        self.run_tool("get", "-q", name, expect=EMPTY)
        done = self.run_tool("queue", "declare", name, "-e", "haigha-no-such-exchange", expect=FAILED)
        self.assert_one_sentence(done, "haigha-no-such-exchange")

    def test_an_operation_and_a_name_are_wanted(self) -> None:
        for arguments in ([], ["declare"], ["rename", "x"], ["show", "--type", "quorum", "x"]):
            self.run_tool("queue", *arguments, expect=USAGE)


if __name__ == "__main__":
    main()
