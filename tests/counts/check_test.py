#!/usr/bin/env python3
"""check_test.py PROGRAM: what check.py says where counts are not what is on record. Any python3 runs it."""
import json
import pathlib
import subprocess
import sys
import tempfile
import unittest

import check

PROGRAM = pathlib.Path(sys.argv.pop(1)).resolve()

# As callgrind writes it: a function of ours that calls one of libc's and one of the counter's.
CALLGRIND_OUTPUT = """\
events: Ir
ob=/build/tests/counts/onepack_counts
fl=/src/runtime/method.cpp
fn=Run
10 5
cob=/lib/libc.so.6
cfi=???
cfn=memcpy
calls=2 0
11 1000
12 7
cfi=/src/tests/support/fault_injector.cpp
cfn=malloc
calls=1 5
13 300
fi=/include/span.h
20 30

fl=/src/tests/support/fault_injector.cpp
fn=malloc
5 200
fi=/include/atomic
5 100

ob=/lib/libc.so.6
fl=???
fn=memcpy
0 1000
totals: 1342
"""


class OurInstructions(unittest.TestCase):
    def test_are_those_of_what_is_built_without_callees_and_the_counter(self):
        self.assertEqual(check.our_instructions(CALLGRIND_OUTPUT.splitlines(), "/build"), 5 + 7 + 30)


class Changed(unittest.TestCase):
    def test_is_more_than_the_tolerance_in_either_direction(self):
        self.assertFalse(check.changed(1000, 1020, 0.02))
        self.assertFalse(check.changed(1000, 980, 0.02))
        self.assertTrue(check.changed(1000, 1021, 0.02))
        self.assertTrue(check.changed(1000, 979, 0.02))

    def test_is_anything_where_nothing_is_on_record(self):
        self.assertTrue(check.changed(0, 1, 0.02))
        self.assertFalse(check.changed(0, 0, 0.02))


class Check(unittest.TestCase):
    """All of it, over records that are changed first."""

    def check(self, change, *options):
        with tempfile.TemporaryDirectory() as folder:
            records = json.loads((check.FOLDER / "records.json").read_text())
            change(records["measures"])
            path = pathlib.Path(folder) / "records.json"
            path.write_text(json.dumps(records))
            command = [sys.executable, check.__file__, "--program", PROGRAM, "--records", path, "--name", "first_load"]
            done = subprocess.run(command + list(options), stdout=subprocess.PIPE, text=True)
            return done.returncode, done.stdout

    def change_of_allocations(self, factor):
        def change(measures):
            measures["first_load"]["allocations"] = round(measures["first_load"]["allocations"] * factor)

        return self.check(change, "--only", "allocations")

    def test_fails_where_a_count_grew(self):
        status, output = self.change_of_allocations(0.9)
        self.assertEqual(status, 1)
        self.assertRegex(output, r"first_load allocations .* GREW")

    def test_fails_where_a_count_shrank(self):
        status, output = self.change_of_allocations(1.1)
        self.assertEqual(status, 1)
        self.assertRegex(output, r"first_load allocations .* shrank: record it")

    def test_fails_where_something_is_not_on_record(self):
        status, output = self.check(lambda measures: measures.pop("first_load"), "--only", "allocations")
        self.assertEqual(status, 1)
        self.assertIn("is not on record", output)

    def test_fails_where_something_on_record_is_not_measured(self):
        status, output = self.check(lambda measures: measures.update(gone={}), "--only", "allocations")
        self.assertEqual(status, 1)
        self.assertIn("gone is on record and is not measured", output)

    def test_is_skipped_for_a_compiler_without_a_record(self):
        def change(measures):
            for record in measures.values():
                record["instructions"] = {"another 1": 1}

        status, output = self.check(change, "--only", "instructions")
        self.assertEqual(status, check.SKIPPED)
        self.assertRegex(output, "no record for|there is no valgrind|has no AVX2")


if __name__ == "__main__":
    unittest.main()
