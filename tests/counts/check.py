#!/usr/bin/env python3
"""Compares what loading and running takes with what is on record, in records.json.

    check.py [--only allocations|instructions]   fails where a count is not what is on record
    check.py --record                            writes what is found as the record

A count that has grown fails, and so does one that has shrunk: a record that is too high would let it grow again
unseen. Exit status: 0 all are; 1 some are not; 77 instructions cannot be counted here, or are not on record for this
compiler.
"""
import argparse
import json
import pathlib
import shutil
import subprocess
import sys
import tempfile

FOLDER = pathlib.Path(__file__).resolve().parent
PROGRAM = FOLDER.parent.parent / "build/dev/tests/counts/onepack_counts"
SKIPPED = 77
TO_RECORD = "to record what is found: python3 tests/counts/check.py --record"

# Where there is valgrind, allocations are counted in it, too: its processor is the same on every machine, and how much
# memory XNNPACK packs a weight into depends on the processor.
EMULATED = ["valgrind", "--tool=none", "--quiet"] if shutil.which("valgrind") else []
VALGRIND = ["valgrind", "--tool=callgrind", "--quiet"]
CALLGRIND = VALGRIND + [
    "--toggle-collect=OnepackCountedWork",
    # One line a cost, all names written out.
    "--compress-strings=no",
    "--compress-pos=no",
]
# Counts for the test, not for us. Its functions are told by the file that they are in.
COUNTER = "fault_injector.cpp"


class CannotCount(Exception):
    """Instructions are not counted, and why."""


def our_instructions(lines, folder):
    """Instructions in what is built in `folder`: not those of XNNPACK, of libc or of the counter."""
    total = 0
    is_ours = is_counter = is_callee = False
    for line in lines:
        key, separator, value = line.rstrip("\n").partition("=")
        if separator and key == "ob":
            is_ours = value.startswith(folder)
        elif separator and key == "fl":
            is_counter = value.endswith(COUNTER)
        elif separator and key == "calls":
            is_callee = True
        elif line[:1].isdigit():
            # After "calls" stands what the callee took, which is listed with the callee as well.
            if is_ours and not is_counter and not is_callee:
                total += int(line.split()[1])
            is_callee = False
    return total


def run(command):
    done = subprocess.run(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True)
    if done.returncode != 0:
        sys.exit(f"counts: {' '.join(map(str, command))}: status {done.returncode}\n{done.stderr}")
    return done.stdout


def count_instructions(program, name, folder):
    output = pathlib.Path(folder) / name
    run(CALLGRIND + [f"--callgrind-out-file={output}", program, name])
    with open(output) as lines:
        found = our_instructions(lines, str(program.parents[2]))
    if found == 0:
        sys.exit(f"counts: {name}: callgrind counted nothing")
    return found


def compiler_to_count_for(program):
    if shutil.which("valgrind") is None:
        raise CannotCount("there is no valgrind")
    with tempfile.TemporaryDirectory() as folder:
        listed = json.loads(run(VALGRIND + [f"--callgrind-out-file={folder}/list", program, "--list"]))
    if not listed["has_vectors"]:
        raise CannotCount("this processor has no AVX2")
    return listed["compiler"]


def changed(recorded, found, tolerance):
    return abs(found - recorded) > recorded * tolerance


class Table:
    """Prints every count beside its record, and remembers whether one is not what is on record."""

    def __init__(self, tolerance):
        self.tolerance = tolerance
        self.is_right = True
        print(f"{'':38} {'recorded':>12} {'found':>12}")

    def add(self, name, recorded, found):
        verdict = ""
        if recorded is None:
            verdict = "is not on record"
        elif changed(recorded, found, self.tolerance):
            verdict = "GREW" if found > recorded else "shrank: record it"
        self.is_right = self.is_right and not verdict
        percent = f"{(found - recorded) / recorded:+.2%}" if recorded and found != recorded else ""
        print(f"{name:38} {'-' if recorded is None else recorded:>12} {found:>12} {percent:>8} {verdict}".rstrip())


def check_allocations(program, names, records, table):
    for name in names:
        found = json.loads(run(EMULATED + [program, name]))
        recorded = records["measures"].get(name, {})
        for what, count in found.items():
            table.add(f"{name} {what}", recorded.get(what), count)
            records["measures"].setdefault(name, {})[what] = count


def check_instructions(program, names, records, table, is_recording):
    compiler = compiler_to_count_for(program)
    known = [records["measures"].get(name, {}).get("instructions", {}).get(compiler) for name in names]
    if not is_recording and not any(known):
        raise CannotCount(f"no record for {compiler}; {TO_RECORD}")
    with tempfile.TemporaryDirectory() as folder:
        for name, recorded in zip(names, known):
            found = count_instructions(program, name, folder)
            table.add(f"{name} instructions", recorded, found)
            records["measures"].setdefault(name, {}).setdefault("instructions", {})[compiler] = found


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--program", type=pathlib.Path, default=PROGRAM, help="build/dev's if left out")
    parser.add_argument("--records", type=pathlib.Path, default=FOLDER / "records.json")
    parser.add_argument("--only", choices=["allocations", "instructions"])
    parser.add_argument("--name", help="this measure alone")
    parser.add_argument("--record", action="store_true")
    arguments = parser.parse_args()

    program = arguments.program.resolve()
    records = json.loads(arguments.records.read_text())
    measured = json.loads(run([program, "--list"]))["measures"]
    names = [name for name in measured if arguments.name in (None, name)]
    table = Table(records["tolerance"])
    skipped = None
    if arguments.only != "instructions":
        check_allocations(program, names, records, table)
    if arguments.only != "allocations":
        try:
            check_instructions(program, names, records, table, arguments.record)
        except CannotCount as reason:
            skipped = reason
            print(f"counts: instructions are not counted: {reason}")

    if arguments.record:
        records["measures"] = {name: record for name, record in records["measures"].items() if name in measured}
        arguments.records.write_text(json.dumps(records, indent=2) + "\n")
        return 0
    for name in sorted(set(records["measures"]) - set(measured)):
        print(f"{name} is on record and is not measured")
        table.is_right = False
    if not table.is_right:
        print(TO_RECORD)
        return 1
    return SKIPPED if skipped else 0


if __name__ == "__main__":
    sys.exit(main())
