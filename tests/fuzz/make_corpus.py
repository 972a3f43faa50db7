#!/usr/bin/env python3
"""Writes seeds for the fuzz targets from what a RabbitMQ says: sessions as the steps of
fuzz_machine.cpp, and the methods, content headers and tables that came in them. Those of the other
targets it writes without a broker.

usage: make_corpus.py amqp://USER:PASSWORD@HOST:PORT FOLDER

The corpora in corpus/ are these seeds and what fuzzing added to them, minimised by libFuzzer; see
docs/fuzzing.md.
"""

import hashlib
import os
import random
import re
import socket
import struct
import sys
import urllib.parse

# The steps of fuzz_machine.cpp, in its order.
STEPS = (
    "receive receive_frame receive_method receive_sensible set_piece take take_all pump expire "
    "set_reading open_channel close_channel publish publish_large publish_described declare "
    "consume cancel get select settle close update_secret answer fail correlate_returns drain pause "
    "resume recover nack reject tx_select"
).split()
FRESH = 0
NEVER = 0  # as a deadline
QUEUE = "fuzz-corpus"


def short(text):
    return bytes([len(text)]) + text.encode()


def long(octets):
    return struct.pack(">I", len(octets)) + octets


def without_host(octets):
    """Without the name of the machine on which the broker runs, and as long."""
    name = re.search(rb"cluster_nameS\0\0\0(.)[^@]*@", octets, re.DOTALL)
    if not name:
        return octets
    end = name.start(1) + 1 + name[1][0]
    return octets[: name.end()] + b"h" * (end - name.end()) + octets[end:]


def every_type():
    """A table with a field of every type, nested ones included."""
    values = [
        b"t\x01", b"b\xff", b"B\xff", b"s\xff\xfe", b"u\xff\xfe", b"I" + b"\xff" * 4,
        b"i" + b"\xff" * 4, b"l" + b"\xff" * 8, b"f" + struct.pack(">f", 1.5),
        b"d" + struct.pack(">d", -2.5), b"D\x02" + struct.pack(">i", 314), b"S" + long(b"text"),
        b"x" + long(b"\x00\xff"), b"T" + struct.pack(">Q", 1700000000), b"V",
    ]  # fmt: skip
    fields = b"".join(short(f"f{i}") + value for i, value in enumerate(values))
    return fields + short("table") + b"F" + long(fields) + short("array") + b"A" + long(b"".join(values))


class Session:
    """A connection to the broker, and the steps that a machine would have taken in its place."""

    all = []

    def __init__(self, uri, name, password=None):
        self.uri = uri
        self.steps = bytearray([FRESH])
        self.seen = []  # (type, payload)
        self.buffer = b""
        self.name = name
        self.password = password
        Session.all.append(self)

    def __enter__(self):
        self.socket = socket.create_connection((self.uri.hostname, self.uri.port))
        self.socket.settimeout(5)
        self.socket.sendall(b"AMQP\x00\x00\x09\x01")
        self.receive((10, 10))
        password = self.password or self.uri.password
        capabilities = b"".join(
            short(name) + b"t\x01"
            for name in ("consumer_cancel_notify", "publisher_confirms", "basic.nack",
                         "connection.blocked", "authentication_failure_close")
        )  # fmt: skip
        properties = short("capabilities") + b"F" + long(capabilities)
        login = f"\0{self.uri.username}\0{password}".encode()
        self.say(0, (10, 11), long(properties) + short("PLAIN") + long(login) + short("en_US"))
        if self.password:
            self.receive((10, 50))
            return self
        self.receive((10, 30))
        self.say(0, (10, 31), struct.pack(">HIH", 16, 131072, 0))
        self.say(0, (10, 40), short("/") + short("") + b"\0")
        self.receive((10, 41))
        return self

    def __exit__(self, *_):
        self.socket.close()

    def step(self, name, *arguments):
        self.steps.append(STEPS.index(name))
        for argument in arguments:
            self.steps += argument if isinstance(argument, bytes) else bytes([argument])

    def say(self, channel, method, arguments):
        payload = struct.pack(">HH", *method) + arguments
        self.frame(1, channel, payload)

    def frame(self, kind, channel, payload):
        self.socket.sendall(struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce")

    def receive(self, *methods):
        """Reads until each of the methods has come, in any order; what came is one step."""
        wanted = list(methods)
        octets = b""
        body_left = 0
        while wanted or body_left:
            head = self.read(7)
            kind, _, size = struct.unpack(">BHI", head)
            payload = without_host(self.read(size))
            octets += head + payload + self.read(1)
            self.seen.append((kind, payload))
            if kind == 1:
                method = struct.unpack(">HH", payload[:4])
                if method in wanted:
                    wanted.remove(method)
                # A content follows return, deliver and get-ok.
                body_left = 1 if method in ((60, 50), (60, 60), (60, 71)) else body_left
            elif kind == 2:
                body_left = struct.unpack(">Q", payload[4:12])[0]
            elif kind == 3:
                body_left -= size
        self.step("receive", struct.pack(">H", len(octets)), octets)

    def read(self, size):
        while len(self.buffer) < size:
            octets = self.socket.recv(65536)
            if not octets:
                raise EOFError(f"{self.name}: the broker has closed")
            self.buffer += octets
        octets, self.buffer = self.buffer[:size], self.buffer[size:]
        return octets

    # ---- verbs: a step of the machine's and the frames that it would say

    def open_channel(self, number):
        self.step("open_channel", NEVER)
        self.say(number, (20, 10), short(""))
        self.receive((20, 11))

    def declare(self, channel, queue=QUEUE, passive=False):
        self.step("declare", channel - 1, NEVER)
        self.say(channel, (50, 10), b"\0\0" + short(queue) + bytes([1 if passive else 8]) + long(b""))
        self.receive((20, 40) if passive else (50, 11))

    def consume(self, channel, tag):
        self.step("consume", channel - 1, NEVER, int(tag[1:]), 0)
        self.say(channel, (60, 20), b"\0\0" + short(QUEUE) + short(tag) + b"\0" + long(b""))
        self.receive((60, 21))

    def publish(self, channel, body, key=QUEUE, mandatory=False, properties=b"\0\0"):
        self.step("publish", channel - 1, len(body))
        self.say(channel, (60, 40), b"\0\0" + short("") + short(key) + bytes([mandatory]))
        self.frame(2, channel, struct.pack(">HHQ", 60, 0, len(body)) + properties)
        if body:
            self.frame(3, channel, body)

    def settle(self, channel, tag):
        self.step("settle", channel - 1, tag, 0)
        self.say(channel, (60, 80), struct.pack(">QB", tag, 0))

    def select(self, channel):
        self.step("select", channel - 1, NEVER)
        self.say(channel, (85, 10), b"\0")
        self.receive((85, 11))

    def get(self, channel, reply):
        self.step("get", channel - 1, NEVER, 0)
        self.say(channel, (60, 70), b"\0\0" + short(QUEUE) + b"\0")
        self.receive(reply)

    def delete_queue(self, channel, *also):
        # The machine has no call in flight for it: its answer is left out of the steps.
        self.say(channel, (50, 40), b"\0\0" + short(QUEUE) + b"\0")
        self.receive((50, 41), *also)

    def close(self):
        self.step("close")
        self.say(0, (10, 50), struct.pack(">H", 200) + short("closed") + b"\0\0\0\0")
        self.receive((10, 51))


def all_properties():
    flags = 0xFFF8 & ~0x0010  # no user_id, which the broker compares with the login
    return struct.pack(">H", flags) + (
        short("text/plain") + short("utf-8") + long(every_type()) + b"\x02\x09" + short("correlation")
        + short("reply") + short("60000") + short("id") + struct.pack(">Q", 1700000000)
        + short("type") + short("app")
    )  # fmt: skip


def record(uri):
    with Session(uri, "deliveries") as s:
        s.open_channel(1)
        s.declare(1)
        s.consume(1, "c0")
        s.publish(1, b"one", properties=all_properties())
        s.receive((60, 60))
        s.settle(1, 1)
        s.publish(1, b"")
        s.receive((60, 60))
        s.step("cancel", 0, NEVER, 0)
        s.say(1, (60, 30), short("c0") + b"\0")
        s.receive((60, 31))
        s.step("close_channel", 0, NEVER)
        s.say(1, (20, 40), struct.pack(">H", 200) + short("closed") + b"\0\0\0\0")
        s.receive((20, 41))
        s.close()
    with Session(uri, "confirms") as s:
        s.open_channel(1)
        s.declare(1)
        s.select(1)
        s.publish(1, b"kept")
        s.receive((60, 80))
        s.publish(1, b"returned", key="no-such-queue", mandatory=True)
        s.receive((60, 50), (60, 80))
        s.close()
    with Session(uri, "get") as s:
        s.open_channel(1)
        s.declare(1)
        s.publish(1, b"got")
        # Settled before it is asked for: a declare after it has been answered.
        s.declare(1)
        s.get(1, (60, 71))
        s.say(1, (50, 30), b"\0\0" + short(QUEUE) + b"\0")
        s.receive((50, 31))
        s.get(1, (60, 72))
        s.close()
    with Session(uri, "channel-error") as s:
        s.open_channel(1)
        s.open_channel(2)
        s.select(1)
        s.publish(1, b"m")
        s.declare(2, "no-such-queue", passive=True)
        s.say(2, (20, 41), b"")
        s.open_channel(2)
        s.close()
    with Session(uri, "consumer-cancelled") as s:
        s.open_channel(1)
        s.open_channel(2)
        s.declare(1)
        s.consume(1, "c1")
        s.delete_queue(2, (60, 30))
        s.close()
    with Session(uri, "connection-error") as s:
        s.open_channel(1)
        s.declare(1)
        s.say(1, (20, 20), b"\0")
        s.receive((10, 50))
    with Session(uri, "refused-login", password="wrong"):
        pass


OPTION_TABLE = os.path.join(os.path.dirname(__file__), "../../src/client/option_table.cpp")

URIS = (
    "amqp://guest:guest@localhost:5672/%2f?heartbeat=10&connection_timeout=5000",
    "amqps://user%61:%61pass@ho%61st:10000/v%2fhost?verify=verify_none&depth=3&password=key",
    "amqp://[::1]:5672/",
    "AMQP://:@/",
)
# user, what follows the password's mark, what follows the @
URI_PARTS = (
    ("user", "", "host:1/vhost"),
    ("u", "%zz", "h"),
    ("u", "", "h?heartbeat=x"),
    ("a@b", "?x", "h/v?no_such=1"),
    ("u", "", "a,b"),
)


def option_uris():
    """A URI with each of the options, by whatever value."""
    with open(OPTION_TABLE, encoding="utf-8") as file:
        names = re.findall(r'OptionRow\{\s*"(\w+)"', file.read())
    return [f"amqps://h/v?{name}=1" for name in names]


# How many calls fuzz_arguments.cpp and fuzz_objects.cpp know, and octets to take their arguments
# from: strings of five octets, numbers, and small numbers by which most structs are given as they
# are today.
CALLS = 32
ARGUMENTS = (b"\x28abcde" * 12, bytes(range(4, 100)), b"\1" * 40, b"\5" * 60)


def series():
    """Calls one after the other, by small numbers and letters; the same ones each time."""
    chosen = random.Random(7)
    octets = bytes(range(8)) + b"\1\1\1\x28\x30aq"
    for _ in range(300):
        yield b"".join(
            bytes([chosen.randrange(CALLS), *chosen.choices(octets, k=chosen.randint(4, 30))])
            for _ in range(chosen.randint(2, 25))
        )


TOPOLOGY = """# orders and who hears of them
exchange orders topic durable alternate-exchange=unrouted
queue "every \\"order\\"" exclusive auto-delete x-max-length=10 d=true e="1" f=
bind "every \\"order\\"" from orders by #
bind exchange unrouted from orders x-match=all
"""


def deaths():
    """Headers with x-death, as RabbitMQ writes them."""
    keys = b"S" + long(b"order.paid") + b"S" + long(b"copy")
    record = b"".join(
        short(name) + value
        for name, value in (
            ("count", b"l" + struct.pack(">q", 2)),
            ("reason", b"S" + long(b"rejected")),
            ("queue", b"S" + long(b"work")),
            ("time", b"T" + struct.pack(">Q", 1700000000)),
            ("exchange", b"S" + long(b"")),
            ("routing-keys", b"A" + long(keys)),
            ("original-expiration", b"S" + long(b"60000")),
        )
    )
    return (
        short("x-death") + b"A" + long(2 * (b"F" + long(record)))
        + short("x-first-death-queue") + b"S" + long(b"work")
        + short("x-delivery-count") + b"l" + struct.pack(">q", 3)
        + short("x-acquired-count") + b"l" + struct.pack(">q", 4)
        + short("x-haigha-retries") + b"I" + struct.pack(">i", 2)
        + short("x-haigha-retry-reason") + b"S" + long(b"before")
    )  # fmt: skip


def topology():
    """What fuzz_topology.cpp reads, each kind behind its octet."""
    # Headers, expiration and user id.
    properties = struct.pack(">H", 1 << 13 | 1 << 8 | 1 << 4) + long(deaths())
    return (
        b"\0" + deaths(),
        b"\1" + TOPOLOGY.encode(),
        b"\2" + properties + short("60000") + short("guest"),
    )


def server_properties(methods):
    """The table in connection.start."""
    start = methods[struct.pack(">HH", 10, 10)]
    size = struct.unpack(">I", start[6:10])[0]
    return start[10 : 10 + size]


def main():
    uri = urllib.parse.urlparse(sys.argv[1])
    names = ("arguments", "machine", "method", "objects", "properties", "table", "topology", "uri")
    seeds = {name: set() for name in names}
    record(uri)
    methods = {}
    for session in Session.all:
        seeds["machine"].add(bytes(session.steps))
        # The same in small pieces.
        piece = bytes([STEPS.index("set_piece"), 7])
        seeds["machine"].add(bytes(session.steps[:1]) + piece + bytes(session.steps[1:]))
        for kind, payload in session.seen:
            if kind == 1:
                methods.setdefault(payload[:4], payload)
            elif kind == 2:
                seeds["properties"].add(payload)
    seeds["method"].update(methods.values())
    seeds["table"].update(b"\0" + table for table in (every_type(), server_properties(methods)))
    seeds["uri"].update(b"\0" + text.encode() for text in (*URIS, *option_uris()))
    seeds["uri"].update(b"\1" + "\0".join(parts).encode() for parts in URI_PARTS)
    seeds["topology"].update(topology())
    for octets in ARGUMENTS:
        for target in ("arguments", "objects"):
            seeds[target].update(bytes([call]) + octets for call in range(CALLS))
    seeds["objects"].update(series())
    for target, inputs in seeds.items():
        folder = os.path.join(sys.argv[2], target)
        os.makedirs(folder, exist_ok=True)
        for octets in inputs:
            name = hashlib.sha1(octets).hexdigest()
            with open(os.path.join(folder, name), "wb") as file:
                file.write(octets)
        print(f"{target}: {len(inputs)} seeds, the largest of {max(map(len, inputs))} octets")


if __name__ == "__main__":
    main()
