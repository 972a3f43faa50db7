#!/usr/bin/env python3
"""Runs the benchmark's programs beside the peers that can be had, prints their tables, and writes
build/bench/results.json and build/bench/chart.svg. `tools/dev bench` builds what this runs.

usage: run_bench.py [OPTIONS], see --help
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import subprocess
import sys
import time
from pathlib import Path

from bench_chart import chart
from bench_report import Row, report

HERE = Path(__file__).resolve().parent
ROOT = HERE.parent.parent
PROGRAMS = Path(os.environ.get("HAIGHA_BENCH_PROGRAMS", ROOT / "build/gcc-bench/tests/bench"))
OUTPUT = ROOT / "build/bench"
# Works against a broker, where all others have a peer of their own.
BROKER_PROGRAM = "broker_bench"
# What tools/dev runs instead of all the others.
ALONE = ("pool_bench", "recovery_bench")


def parse() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="tools/dev bench", allow_abbrev=False)
    add = parser.add_argument
    add("--quick", action="store_true", help="a tenth of the messages, one repetition")
    add("--repetitions", type=int, metavar="N", help="of each measurement (3; 2 with --broker)")
    add("--only", metavar="TEXT", help='what has TEXT in "BYTES WORK CLIENT", such as "16 publish"')
    add("--tls", action="store_true", help="over TLS, beside bare SSL_write and SSL_read; no peers")
    add("--high-water", metavar="BYTES", help="outbox_high_water_bytes of haigha's connections")
    add("--no-peers", action="store_true", help="without other clients")
    add("--peers", metavar="TEXT,...", help="only the peers with a TEXT in their name")
    add(
        "--broker", action="store_true", help="against the RabbitMQ of HAIGHA_URI, or a private one"
    )
    add("--count", type=int, metavar="N", help="of messages, with --broker")
    add("--chart", type=Path, metavar="FILE", help="writes the chart there too")
    return parser.parse_args()


def machine() -> str:
    model = platform.machine()
    for line in Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines():
        if line.startswith("model name"):
            model = line.split(":", 1)[1].strip()
            break
    return f"{os.cpu_count()} cores, {model}, Linux {platform.release()}"


def prepare_peers(arguments: argparse.Namespace) -> tuple[list[str], dict[str, str]]:
    """The options that name the peers to the programs, and the peers' versions."""
    if arguments.no_peers or arguments.tls:
        return [], {}
    texts = arguments.peers.split(",") if arguments.peers else []
    made = subprocess.run(
        [HERE / "peers/prepare", *texts], stdout=subprocess.PIPE, text=True, check=False
    )
    options: list[str] = []
    versions: dict[str, str] = {}
    for line in made.stdout.splitlines():
        name, version, divisor, command = line.split("\t")
        options += ["--peer", name, divisor, command]
        versions[name] = version
    return options, versions


def run(program: Path, arguments: argparse.Namespace, peers: list[str]) -> list[Row] | None:
    """One program's rows, or nothing when it failed. It gets the options that its usage names."""
    usage = subprocess.run([program, "--help"], capture_output=True, text=True, check=False)
    if arguments.tls and "--tls " not in usage.stdout:
        return []
    file = OUTPUT / f"{program.name}.json"
    file.unlink(missing_ok=True)
    wanted = [("--json", [str(file)])]
    for name in ("quick", "tls"):
        if getattr(arguments, name):
            wanted.append((f"--{name}", []))
    for name in ("repetitions", "only", "high_water", "count"):
        if (value := getattr(arguments, name)) is not None:
            wanted.append((f"--{name.replace('_', '-')}", [str(value)]))
    if arguments.broker:
        wanted.append(("--uri", [os.environ["HAIGHA_URI"]]))
    command = [str(program)]
    for option, values in wanted:
        if f"{option} " in usage.stdout:
            command += [option, *values]
    if "--peer " in usage.stdout:
        command += peers
    print(f"\n== {program.name}", flush=True)
    if subprocess.run(command, check=False).returncode != 0 or not file.exists():
        return None
    rows: list[Row] = json.loads(file.read_text(encoding="utf-8"))
    return rows


def main() -> int:
    arguments = parse()
    OUTPUT.mkdir(parents=True, exist_ok=True)
    start = time.monotonic()
    peers, versions = prepare_peers(arguments)
    rows: list[Row] = []
    failed: list[str] = []
    for program in sorted(PROGRAMS.glob("*_bench")):
        if program.name in ALONE or (program.name == BROKER_PROGRAM) != arguments.broker:
            continue
        found = run(program, arguments, peers)
        if found is None:
            failed.append(program.name)
        rows += found or []
    result = {"machine": machine(), "clients": versions, "rows": rows}
    name = "broker" if arguments.broker else "tls" if arguments.tls else "results"
    file = OUTPUT / f"{name}.json"
    file.write_text(json.dumps(result, indent=1) + "\n", encoding="utf-8")
    text = report(rows, versions)
    if text:
        print(
            f"\nCPU of the client per message, rate, and ratio to the floor; {machine()}\n\n{text}"
        )
    written = [file]
    picture = chart(rows, versions)
    if picture:
        written += [OUTPUT / "chart.svg", *([arguments.chart] if arguments.chart else [])]
        for target in written[1:]:
            target.write_text(picture, encoding="utf-8")
    print(f"\nin {time.monotonic() - start:.0f} s; written: {', '.join(map(str, written))}")
    for program_name in failed:
        print(f"FAILED  {program_name}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
