#!/usr/bin/env python3
"""Counts the tests of one `meson test`, and prints the output of those that failed.

usage: test_results.py TESTLOG.json GTEST_XML_FOLDER TALLY STATUS

Each case of a GoogleTest program counts as one, and so does each of a binding, whose report has the name
of its test of Meson's, and any other test of Meson's. Writes
"PASSED FAILED" to the file TALLY. STATUS is the exit status of `meson test`.
"""

import json
import os
import sys
import xml.etree.ElementTree

PASSED = {"OK", "EXPECTEDFAIL"}
SKIPPED = {"SKIP"}


def read_log(path):
    try:
        with open(path, encoding="utf-8", errors="replace") as file:
            return [json.loads(line) for line in file if line.strip()]
    except FileNotFoundError:
        return []


def cases(xml_path):
    """Returns (passed, failed, skipped), lists of names, from a GoogleTest report."""
    passed, failed, skipped = [], [], []
    try:
        root = xml.etree.ElementTree.parse(xml_path).getroot()
    except (FileNotFoundError, xml.etree.ElementTree.ParseError):
        return passed, failed, skipped
    for case in root.iter("testcase"):
        name = f"{case.get('classname')}.{case.get('name')}"
        if case.get("status") == "notrun":
            continue
        if case.find("failure") is not None or case.find("error") is not None:
            failed.append(name)
        elif case.get("result") == "skipped" or case.find("skipped") is not None:
            skipped.append(name)
        else:
            passed.append(name)
    return passed, failed, skipped


def count(log, xml_folder, status):
    """Returns (passed, failed, skipped): numbers, and lists of names."""
    passed, failed, skipped = 0, [], []
    reports_used = set()
    for test in log:
        name, result = test["name"], test["result"]
        report = os.path.join(xml_folder, os.path.basename(test["command"][0]) + ".xml")
        if not os.path.exists(report):
            report = os.path.join(xml_folder, name.split(" / ")[-1] + ".xml")
        is_gtest = os.path.exists(report) and report not in reports_used
        if is_gtest:
            reports_used.add(report)
            case_passed, case_failed, case_skipped = cases(report)
            passed += len(case_passed)
            failed += [f"{name}: {case}" for case in case_failed]
            skipped += [f"{name}: {case}" for case in case_skipped]
            # A program that failed otherwise: in an earlier round, or after its last test.
            if result not in PASSED and not case_failed:
                failed.append(f"{name} ({result})")
        elif result in PASSED:
            passed += 1
        elif result in SKIPPED:
            skipped.append(name)
        else:
            failed.append(f"{name} ({result})")
    if status != 0 and not failed:
        failed.append(f"`meson test` itself (exit status {status})")
    return passed, failed, skipped


def main():
    log_path, xml_folder, tally, status = sys.argv[1:]
    log = read_log(log_path)
    passed, failed, skipped = count(log, xml_folder, int(status))
    for test in log:
        if test["result"] not in PASSED | SKIPPED:
            print(f"\n---- {test['name']}: {test['result']}, exit status {test['returncode']}")
            print(test.get("stdout", ""), test.get("stderr", ""), sep="\n")
    for sentence, names in (("FAILED", failed), ("skipped", skipped)):
        for name in names:
            print(f"{sentence}  {name}")
    with open(tally, "w", encoding="utf-8") as file:
        print(passed, len(failed), file=file)


if __name__ == "__main__":
    main()
