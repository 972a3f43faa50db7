#!/usr/bin/env python3
"""Writes the vectors of this folder: methods, content headers, field tables and frames, with their octets.

usage: make_vectors.py FOLDER [--check]

The methods come from the protocol's XML (Debian's package amqp-specs), with what RabbitMQ added after it; the
octets are made here by `struct`, and by nothing of libhaigha's, so that they can prove its codec, and any other.
With --check nothing is written: the exit status says whether FOLDER has what would be.
"""

import json
import os
import struct
import sys
import xml.etree.ElementTree

SPECIFICATION = "/usr/share/amqp/specs/0-9-1-rabbit/amqp0-9-1.stripped.extended.xml"
VERSION = 1

# In no XML: class, class id, method, method id, fields, responses. connection.* are RabbitMQ's later methods; access.*
# are of AMQP 0-8, and brokers still answer them.
LATER_METHODS = [
    ("connection", 10, "blocked", 60, [("reason", "shortstr")], []),
    ("connection", 10, "unblocked", 61, [], []),
    ("connection", 10, "update-secret", 70, [("new-secret", "longstr"), ("reason", "shortstr")],
     ["update-secret-ok"]),
    ("connection", 10, "update-secret-ok", 71, [], []),
    ("access", 30, "request", 10,
     [("realm", "shortstr"), ("exclusive", "bit"), ("passive", "bit"), ("active", "bit"), ("write", "bit"),
      ("read", "bit")], ["request-ok"]),
    ("access", 30, "request-ok", 11, [("ticket", "short")], []),
]  # fmt: skip

INTEGERS = {"octet": "B", "short": "H", "long": "I", "longlong": "Q", "timestamp": "Q"}
# Tags of field tables, as RabbitMQ means them: its errata differ from the specification.
FIELD_INTEGERS = {"b": "b", "B": "B", "s": "h", "u": "H", "I": "i", "i": "I", "l": "q", "L": "q", "T": "Q"}
WIDE = {"l", "L", "T"}


# ---- octets


def short_string(octets):
    assert len(octets) <= 255
    return struct.pack(">B", len(octets)) + octets


def long_string(octets):
    return struct.pack(">I", len(octets)) + octets


def octets_of(value):
    """A string's octets: text stands for itself in UTF-8, {"hex": ...} for any."""
    return bytes.fromhex(value["hex"]) if isinstance(value, dict) else value.encode()


def field_octets(field):
    """Of a table's field, or an array's element, from its tag on."""
    tag, value = field["type"], field["value"]
    if tag == "t":
        body = b"\1" if value else b"\0"
    elif tag in FIELD_INTEGERS:
        body = struct.pack(">" + FIELD_INTEGERS[tag], int(value))
    elif tag in ("f", "d"):
        body = struct.pack(">" + tag, value)
    elif tag == "D":
        body = struct.pack(">Bi", value["scale"], value["unscaled"])
    elif tag in ("S", "x"):
        body = long_string(octets_of(value))
    elif tag == "F":
        body = table_octets(value)
    elif tag == "A":
        body = long_string(b"".join(field_octets(element) for element in value))
    else:
        assert tag == "V"
        body = b""
    return tag.encode() + body


def table_octets(fields):
    return long_string(b"".join(short_string(octets_of(f["name"])) + field_octets(f) for f in fields))


def argument_octets(arguments):
    """Arguments in order; bits that follow each other share an octet, the first in the lowest bit."""
    out = b""
    bits = None
    for argument in arguments:
        kind, value = argument["type"], argument["value"]
        if kind == "bit":
            if bits is None or bits[1] == 8:
                out += b"\0"
                bits = (len(out) - 1, 0)
            position, count = bits
            if value:
                out = out[:position] + bytes([out[position] | 1 << count]) + out[position + 1 :]
            bits = (position, count + 1)
            continue
        bits = None
        if kind in INTEGERS:
            out += struct.pack(">" + INTEGERS[kind], int(value))
        elif kind == "shortstr":
            out += short_string(octets_of(value))
        elif kind == "longstr":
            out += long_string(octets_of(value))
        else:
            out += table_octets(value)
    return out


def frame(kind, channel, payload):
    return struct.pack(">BHI", kind, channel, len(payload)) + payload + b"\xce"


# ---- values


def wide(number):
    """64 bits are text: many languages' JSON has no such numbers."""
    return str(number)


def field(name, tag, value):
    return {"name": name, "type": tag, "value": value}


def element(tag, value):
    return {"type": tag, "value": value}


SAMPLE_TABLE = [
    field("x-max-length", "I", 1000),
    field("x-queue-mode", "S", "lazy"),
    field("x-single-active-consumer", "t", True),
]


def sample(kind, how, name):
    """A value of an argument: none, all ones, or something that occurs."""
    if kind == "bit":
        return {"least": False, "most": True, "some": len(name) % 2 == 0}[how]
    if kind in INTEGERS:
        size = struct.calcsize(INTEGERS[kind])
        number = {"least": 0, "most": 256**size - 1, "some": 0x0102030405060708 >> 8 * (8 - size)}[how]
        return wide(number) if size == 8 else number
    if kind == "shortstr":
        return {"least": "", "most": "s" * 255, "some": f"{name} \u00e4\u4e2d"}[how]
    if kind == "longstr":
        return {"least": "", "most": "l" * 1000, "some": {"hex": "006775657374006775657374ff"}}[how]
    return {"least": [], "most": SAMPLE_TABLE * 4, "some": SAMPLE_TABLE}[how]


# ---- methods


def spelled(name):
    # confirm.select is the one method whose XML writes it in one word.
    return "no_wait" if name == "nowait" else name.replace("-", "_")


def all_methods():
    root = xml.etree.ElementTree.parse(SPECIFICATION).getroot()
    domains = {domain.get("name"): domain.get("type") for domain in root.findall("domain")}
    methods = []
    for of_class in root.findall("class"):
        for method in of_class.findall("method"):
            fields = [
                (f.get("name"), f.get("type") or domains[f.get("domain")]) for f in method.findall("field")
            ]
            responses = [response.get("name") for response in method.findall("response")]
            # Its answer is described there, but not said to be one.
            if (of_class.get("name"), method.get("name")) == ("basic", "recover"):
                responses = ["recover-ok"]
            methods.append((of_class.get("name"), int(of_class.get("index")), method.get("name"),
                            int(method.get("index")), fields, responses,
                            method.get("content") == "1"))  # fmt: skip
    methods += [(*later, False) for later in LATER_METHODS]
    return sorted(methods, key=lambda method: (method[1], method[3]))


def method_vectors():
    vectors = []
    for class_name, class_id, name, method_id, fields, responses, content in all_methods():
        full = f"{class_name}.{name}"
        kinds = ["least", "most", "some"] if fields else ["least"]
        # Each bit alone, where they share an octet.
        bits = [at for at, (_, kind) in enumerate(fields) if kind == "bit"]
        for how in kinds + [f"bit {fields[at][0]}" for at in bits if len(bits) > 1]:
            arguments = []
            for at, (field_name, kind) in enumerate(fields):
                value = sample(kind, how if how in kinds else "least", field_name)
                if how == f"bit {field_name}":
                    value = True
                arguments.append({"name": spelled(field_name), "type": kind, "value": value})
            channel = 0 if class_name == "connection" else 1
            payload = struct.pack(">HH", class_id, method_id) + argument_octets(arguments)
            vectors.append({
                "name": f"{full}, {how}",
                "method": full,
                "class_id": class_id,
                "method_id": method_id,
                "responses": [f"{class_name}.{response}" for response in responses],
                "content": content,
                "channel": channel,
                "arguments": arguments,
                "hex": frame(1, channel, payload).hex(),
            })  # fmt: skip
    return vectors


def bad_method_vectors():
    """Arguments that are cut, or that something follows: each method that has any."""
    vectors = []
    for class_name, class_id, name, method_id, fields, _, _ in all_methods():
        full = f"{class_name}.{name}"
        channel = 0 if class_name == "connection" else 1
        arguments = [{"name": n, "type": kind, "value": sample(kind, "some", n)} for n, kind in fields]
        ids = struct.pack(">HH", class_id, method_id)
        whole = argument_octets(arguments)
        cut = {"one octet too many": whole + b"\0"}
        if whole:
            cut["the last octet is missing"] = whole[:-1]
            cut["no arguments"] = b""
        for how, octets in cut.items():
            vectors.append({
                "name": f"{full}, {how}",
                "method": full,
                "error": "syntax-error",
                "reply_code": 502,
                "hex": frame(1, channel, ids + octets).hex(),
            })  # fmt: skip
    return vectors


# ---- content headers


def property_fields():
    root = xml.etree.ElementTree.parse(SPECIFICATION).getroot()
    domains = {domain.get("name"): domain.get("type") for domain in root.findall("domain")}
    (basic,) = [one for one in root.findall("class") if one.get("name") == "basic"]
    fields = [(f.get("name"), f.get("type") or domains[f.get("domain")]) for f in basic.findall("field")]
    # What the last one was before it was reserved; RabbitMQ carries it still.
    return [("cluster-id" if name == "reserved" else name, kind) for name, kind in fields]


def header_vector(name, body_size, values):
    """`values`: of the properties that are there, by name."""
    flags = 0
    out = b""
    properties = []
    for at, (field_name, kind) in enumerate(property_fields()):
        if field_name not in values:
            continue
        flags |= 1 << (15 - at)
        argument = {"name": spelled(field_name), "type": kind, "value": values[field_name]}
        properties.append(argument)
        out += argument_octets([argument])
    payload = struct.pack(">HHQH", 60, 0, body_size, flags) + out
    return {
        "name": name,
        "class_id": 60,
        "channel": 1,
        "body_size": wide(body_size),
        "properties": properties,
        "hex": frame(2, 1, payload).hex(),
    }


def header_vectors():
    fields = property_fields()
    every = {name: sample(kind, "some", name) for name, kind in fields}
    vectors = [header_vector("nothing", 0, {}), header_vector("all properties", 5, every)]
    for how in ("least", "most", "some"):
        for name, kind in fields:
            vectors.append(header_vector(f"{name} alone, {how}", 1, {name: sample(kind, how, name)}))
    for name, _ in fields:
        rest = {other: value for other, value in every.items() if other != name}
        vectors.append(header_vector(f"all but {name}", 2, rest))
    for size in (1, 2**31, 2**32, 2**63, 2**64 - 1):
        vectors.append(header_vector(f"a body of {size} octets", size, {"delivery-mode": 2}))
    vectors.append(header_vector("headers of every type", 3, {"headers": every_type()}))
    return vectors


def bad_header_vectors():
    def bad(name, payload):
        error = {"error": "syntax-error", "reply_code": 502}
        return {"name": name, **error, "hex": frame(2, 1, payload).hex()}

    start = struct.pack(">HHQ", 60, 0, 1)
    return [
        bad("a flag without its field", start + struct.pack(">H", 1 << 15)),
        bad("a field that is cut", start + struct.pack(">H", 1 << 15) + b"\x05tex"),
        bad("a field without its flag", start + struct.pack(">H", 0) + b"\x04text"),
        bad("a flag of no property", start + struct.pack(">H", 1 << 1) + b"\0"),
        bad("flags that go on, into nothing", start + struct.pack(">H", 1)),
        bad("a table that is longer than the header", start + struct.pack(">HI", 1 << 13, 9) + b"\1a"),
    ]


# ---- field tables


def every_type():
    return [
        field("bool", "t", True),
        field("int8", "b", -128),
        field("uint8", "B", 255),
        field("int16", "s", -32768),
        field("uint16", "u", 65535),
        field("int32", "I", -(2**31)),
        field("uint32", "i", 2**32 - 1),
        field("int64", "l", wide(-(2**63))),
        field("float", "f", 0.5),
        field("double", "d", -1.0e-300),
        field("decimal", "D", {"scale": 2, "unscaled": -314}),
        field("text", "S", "\u00e4\u4e2d\U0001f600"),
        field("octets", "x", {"hex": "00ff80"}),
        field("timestamp", "T", wide(1700000000)),
        field("table", "F", [field("inner", "S", "value"), field("deeper", "F", [])]),
        field("array", "A", [element("I", 1), element("S", "two"), element("A", [element("V", None)])]),
        field("nothing", "V", None),
    ]


def table_vectors():
    edges = {
        "t": [False, True],
        "b": [-128, -1, 0, 127],
        "B": [0, 127, 128, 255],
        "s": [-32768, -1, 0, 32767],
        "u": [0, 32768, 65535],
        "I": [-(2**31), -1, 0, 1, 2**31 - 1],
        "i": [0, 2**31, 2**32 - 1],
        "l": [wide(-(2**63)), "-1", "0", wide(2**53 + 1), wide(2**63 - 1)],
        "f": [0.0, 0.5, -1.25, 3.4028234663852886e38],
        "d": [0.0, 0.1, -2.5e-308, 1.7976931348623157e308],
        "D": [{"scale": s, "unscaled": n} for s, n in ((0, 0), (2, 314), (255, -1), (9, 2**31 - 1))],
        "S": ["", "text", "\u00e4\u4e2d\U0001f600", {"hex": "ff00fe"}, "s" * 300],
        "x": [{"hex": ""}, {"hex": "00"}, {"hex": bytes(range(256)).hex()}],
        "T": ["0", "1700000000", wide(2**64 - 1)],
        "F": [[], [field("a", "t", True)], [field("a", "F", [field("b", "F", [])])]],
        "A": [[], [element("I", 1)], [element("t", False), element("S", "x"), element("A", [])]],
        "V": [None],
    }
    vectors = []

    def add(name, fields, **more):
        vectors.append({"name": name, "fields": fields, "hex": table_octets(fields).hex(), **more})

    add("no fields", [])
    for tag, values in edges.items():
        for at, value in enumerate(values):
            add(f"{tag}, {at + 1} of {len(values)}", [field("f", tag, value)])
            if tag != "V":
                add(f"{tag} in an array, {at + 1} of {len(values)}",
                    [field("f", "A", [element(tag, value)])])  # fmt: skip
    # Read as signed by RabbitMQ, and as unsigned by others: nobody should write it.
    for value in (-(2**63), -1, 0, 2**63 - 1):
        add(f"L, {value}", [field("f", "L", wide(value))], write=False)
    add("an empty name", [field("", "I", 1)])
    add("a name of 255 octets", [field("n" * 255, "V", None)])
    add("a name twice", [field("a", "I", 1), field("a", "I", 2)])
    add("every type", every_type())
    deep = []
    for level in range(30):
        deep = [field(f"level {level}", "F", deep)]
    add("tables in tables", deep)
    add("a thousand fields", [field(f"f{n}", "I", n) for n in range(1000)])
    return vectors


def bad_table_vectors():
    def bad(name, contents):
        return {"name": name, "error": "syntax-error", "reply_code": 502, "hex": long_string(contents).hex()}

    vectors = [
        bad("a tag of no type", b"\1aZ"),
        bad("a name without a tag", b"\1a"),
        bad("a name that is cut", b"\5abc"),
        bad("a text longer than the table", b"\1aS\0\0\0\5abc"),
        bad("a text whose length is cut", b"\1aS\0\0\0"),
        bad("octets longer than the table", b"\1ax\xff\xff\xff\xff"),
        bad("an inner table longer than the table", b"\1aF\0\0\0\5"),
        bad("an array longer than the table", b"\1aA\0\0\0\5t"),
        bad("an inner table with a tag of no type", b"\1aF\0\0\0\3\1bZ"),
        bad("an array with a tag of no type", b"\1aA\0\0\0\1Z"),
        bad("an octet behind the last field", b"\1at\1\7"),
    ]
    for tag, size in (("t", 1), ("b", 1), ("B", 1), ("s", 2), ("u", 2), ("I", 4), ("i", 4), ("l", 8), ("L", 8),
                      ("f", 4), ("d", 8), ("D", 5), ("T", 8)):  # fmt: skip
        vectors.append(bad(f"{tag}, cut", b"\1a" + tag.encode() + b"\0" * (size - 1)))
    return vectors


# ---- frames


def frame_vectors():
    frames = [
        ("the smallest method", 1, 1, bytes.fromhex("0014000b")),
        ("on the last channel", 1, 65535, bytes.fromhex("00140029")),
        ("an empty body", 3, 1, b""),
        ("a body of one octet", 3, 1, b"x"),
        ("a body whose octets look like frames", 3, 1, frame(8, 0, b"") * 3 + b"\xce\xce"),
        ("the largest body of a frame_max of 4096", 3, 1, bytes(range(256)) * 15 + b"b" * 248),
        ("a heartbeat", 8, 0, b""),
    ]
    return [
        {"name": name, "frame_max": 4096, "type": kind, "channel": channel, "payload": payload.hex(),
         "hex": frame(kind, channel, payload).hex()}
        for name, kind, channel, payload in frames
    ]  # fmt: skip


def bad_frame_vectors():
    method = bytes.fromhex("0014000b")
    bad = [
        ("a type of no frame, 0", b"\0" + frame(1, 1, method)[1:]),
        ("a type of no frame, 4", b"\4" + frame(1, 1, method)[1:]),
        ("a type of no frame, 255", b"\xff" + frame(1, 1, method)[1:]),
        ("another last octet", frame(1, 1, method)[:-1] + b"\xcd"),
        ("shorter than it says", struct.pack(">BHI", 1, 1, 5) + method + b"\xce\x01\x00"),
        ("longer than it says", struct.pack(">BHI", 3, 1, 3) + b"body" + b"\xce"),
        ("one octet over frame_max", frame(3, 1, b"b" * 4089)),
        ("a size of all ones", struct.pack(">BHI", 3, 1, 0xFFFFFFFF) + b"b"),
        ("a method without its ids", frame(1, 1, b"\0\x14")),
        ("a content header without its flags", frame(2, 1, struct.pack(">HHQ", 60, 0, 1))),
        ("a heartbeat that carries something", frame(8, 0, b"x")),
    ]
    return [
        {"name": name, "frame_max": 4096, "error": "frame-error", "reply_code": 501, "hex": octets.hex()}
        for name, octets in bad
    ]


def session_vectors():
    """What a client says to octets that come, in an open connection with the open channel 1 and no consumer."""
    def method(channel, class_id, method_id, arguments=b""):
        return frame(1, channel, struct.pack(">HH", class_id, method_id) + arguments)

    header = frame(2, 1, struct.pack(">HHQH", 60, 0, 4, 0))
    body = frame(3, 1, b"body")
    returned = method(1, 60, 50, struct.pack(">H", 312) + short_string(b"NO_ROUTE") + b"\0\0")
    bad = [
        ("a method of no class", method(1, 61, 10), 503, "command-invalid"),
        ("a method of no number", method(1, 60, 99), 503, "command-invalid"),
        ("arguments that are cut", method(1, 20, 40, b"\1"), 502, "syntax-error"),
        ("a header without its method", header, 505, "unexpected-frame"),
        ("a body without its method", body, 505, "unexpected-frame"),
        ("a body in the place of the header", returned + body, 505, "unexpected-frame"),
        ("a header in the place of the body", returned + header + header, 505, "unexpected-frame"),
        ("a method in the place of the body", returned + header + returned, 505, "unexpected-frame"),
        ("a content on channel 0", frame(2, 0, header[7:-1]), 504, "channel-error"),
        ("more body than was said", returned + header + frame(3, 1, b"body and more"), 501, "frame-error"),
        ("a channel that is not open", method(7, 20, 20, b"\1"), 504, "channel-error"),
        ("another last octet", body[:-1] + b"\0", 501, "frame-error"),
        ("a type of no frame", b"\4" + body[1:], 501, "frame-error"),
        ("a heartbeat on a channel", frame(8, 1, b""), 501, "frame-error"),
    ]
    return [
        {"name": name, "hex": octets.hex(), "error": error, "reply_code": code}
        for name, octets, code, error in bad
    ]


# ---- files


def files():
    def document(about, **lists):
        return {"format": "haigha-conformance", "version": VERSION, "about": about, **lists}

    return {
        "methods.json": document(
            "Method frames of AMQP 0-9-1 and RabbitMQ's extensions. valid: hex is what the arguments make, and the "
            "arguments are what hex means. invalid: hex is a frame whose arguments cannot be read.",
            valid=method_vectors(), invalid=bad_method_vectors()),
        "headers.json": document(
            "Content header frames of class basic, in both directions; invalid: the frame is whole, and its "
            "properties cannot be read.",
            valid=header_vectors(), invalid=bad_header_vectors()),
        "tables.json": document(
            "Field tables with their length. Both directions, but for those with write false, which are only read.",
            valid=table_vectors(), invalid=bad_table_vectors()),
        "frames.json": document(
            "Frames for a reader with that frame_max. invalid: the stream is of no use from there on. session: "
            "octets for a client in an open connection with channel 1 open, on which it consumes nothing, and the "
            "reply code of the connection.close that it says then.",
            protocol_header="414d515000000901",
            valid=frame_vectors(), invalid=bad_frame_vectors(), session=session_vectors()),
    }  # fmt: skip


def text_of(document):
    """A vector on each line, so that a difference shows which one has changed."""
    head = {key: value for key, value in document.items() if not isinstance(value, list)}
    parts = [f"{json.dumps(key)}: {json.dumps(value)}" for key, value in head.items()]
    for key, vectors in document.items():
        if isinstance(vectors, list):
            lines = ",\n".join("  " + json.dumps(vector) for vector in vectors)
            parts.append(f"{json.dumps(key)}: [\n{lines}\n]")
    return "{\n" + ",\n".join(parts) + "\n}\n"


def main():
    folder = sys.argv[1]
    if not os.path.isfile(SPECIFICATION):
        print(f"{SPECIFICATION} is missing: install the package amqp-specs")
        sys.exit(77)  # skipped, for Meson
    for name, document in files().items():
        path = os.path.join(folder, name)
        if "--check" not in sys.argv:
            with open(path, "w", encoding="utf-8") as file:
                file.write(text_of(document))
            continue
        with open(path, encoding="utf-8") as file:
            if file.read() != text_of(document):
                sys.exit(f"{path} is not what make_vectors.py makes: run it, and look at the difference")
    if "--check" in sys.argv:
        print(f"{len(files())} files are what make_vectors.py makes")


if __name__ == "__main__":
    main()
