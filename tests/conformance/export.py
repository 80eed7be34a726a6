"""Makes the recorded cases of tests/conformance/cases. Needs the exporter: see README.md.

    python tests/conformance/export.py [PATTERN...]

PATTERN is a shell pattern of case names; without one, all cases are made. What the delegates of a
case hold, and which operators stayed outside, goes to standard output.
"""

import argparse
import fnmatch
import importlib
import json
import logging
import pathlib
import sys
import traceback
import warnings

HERE = pathlib.Path(__file__).resolve().parent
FAMILIES = sorted(path.stem for path in (HERE / "families").glob("*.py"))


def all_cases():
    cases = {}
    for family in FAMILIES:
        for case in importlib.import_module(f"families.{family}").cases():
            if case.name in cases:
                raise SystemExit(f"two cases are called {case.name}")
            cases[case.name] = case
    return cases


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("patterns", nargs="*", default=["*"])
    parser.add_argument("--out", type=pathlib.Path, default=HERE / "cases")
    parser.add_argument("--missing", action="store_true", help="only cases without a .json yet")
    options = parser.parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    sys.path.insert(0, str(HERE))
    warnings.filterwarnings("ignore")
    logging.disable(logging.WARNING)
    recording = importlib.import_module("recording")
    failed = 0
    for name, case in all_cases().items():
        if not any(fnmatch.fnmatch(name, pattern) for pattern in options.patterns):
            continue
        if options.missing and list(options.out.glob(f"{name}*.json")):
            continue
        try:
            print(name, json.dumps(recording.export_case(case, options.out)), flush=True)
        except Exception as error:  # pylint: disable=broad-except
            failed += 1
            print(f"{name} FAILED {type(error).__name__}: {error}", flush=True)
            traceback.print_exc(file=sys.stderr)
    sys.exit(1 if failed else 0)


if __name__ == "__main__":
    main()
