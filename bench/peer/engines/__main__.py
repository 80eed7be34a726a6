"""Measures onepack beside other engines, and writes docs/engines.md of all that was recorded, and what README.md
says of it.

    PYTHONPATH=bench/peer python3 -m engines measure --peers build/release/bench/peer --models build/engines/models
    PYTHONPATH=bench/peer python3 -m engines page

scripts/bench.sh --engines calls it. Results are written after each turn: what was measured until an end by hand counts.
"""

import argparse
import pathlib

from compare import count
from machine import flags, machine

from . import figures, measure, page, plot, processor, records
from . import readme as readme_lines
from .versions import installed

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DOCS = ROOT / "docs"
RESULTS = ROOT / "bench/results"


def measure_all(options: argparse.Namespace) -> None:
    found = flags()
    results: records.Results = {
        "processor": processor.kind(found),
        "flags": processor.shown(found),
        "machine": machine(),
        "versions": installed(ROOT / "build"),
        "turns": [],
    }
    chosen = measure.Options(options.peers, options.models, options.only)
    for number in range(options.turns):
        results["turns"].append(measure.measure_turn(number, chosen))
        records.write(options.results, results)
        if figures.is_complete(results["turns"]):
            records.drop_old_section(options.results, results["processor"])


def write_page(_: argparse.Namespace) -> None:
    recorded = records.read_all(RESULTS)
    text = page.markdown(recorded, records.read_old_sections(RESULTS))
    (DOCS / "engines.md").write_text(text, encoding="utf-8")
    readme = ROOT / "README.md"
    readme.write_text(
        readme_lines.updated(readme.read_text(encoding="utf-8"), recorded), encoding="utf-8"
    )
    for kind, results in recorded.items():
        (DOCS / f"engines_{kind}.svg").write_text(plot.svg(results), encoding="utf-8")


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="engines", description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    measuring = commands.add_parser(
        "measure", help="measures, and writes the results of this kind of processor"
    )
    measuring.add_argument("--peers", required=True, help="folder with peer_onepack and the others")
    measuring.add_argument("--models", required=True, help="folder that make_models.py wrote")
    measuring.add_argument("--turns", type=count, default=3)
    measuring.add_argument(
        "--only",
        metavar="PREFIX",
        default="",
        help="only scenarios whose name begins so, to try them: needs --results",
    )
    measuring.add_argument(
        "--results", type=pathlib.Path, default=RESULTS, help="folder, made if it is not there"
    )
    commands.add_parser("page", help="writes the page and its pictures of all results")
    options = parser.parse_args()
    if options.command == "measure" and options.only and options.results.resolve() == RESULTS:
        parser.error(
            "--only would leave a part of the results there: name another folder with --results"
        )
    (measure_all if options.command == "measure" else write_page)(options)


if __name__ == "__main__":
    main()
