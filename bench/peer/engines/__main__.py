"""Measures onepack beside other engines, and writes docs/engines.md of all that was recorded, and what README.md
says of it.

    PYTHONPATH=bench/peer python3 -m engines measure --peers build/release/bench/peer --models build/engines/models
    PYTHONPATH=bench/peer python3 -m engines page

scripts/bench.sh --engines calls it. Results are written after each turn: what was measured until an end by hand counts.
"""

import argparse
import pathlib
import re

from compare import count
from machine import machine

from . import measure, page, plot, processor, records
from . import readme as readme_lines

HERE = pathlib.Path(__file__).resolve().parent
ROOT = HERE.parents[2]
DOCS = ROOT / "docs"
RESULTS = ROOT / "bench/results"


def versions() -> str:
    """As scripts/setup.sh pins them."""
    pins = dict(
        re.findall(
            r"^(\S+)==(\S+)$", (HERE / "requirements.txt").read_text(encoding="utf-8"), re.MULTILINE
        )
    )
    setup = dict(
        re.findall(
            r"(\w+)_version='([^']*)'", (ROOT / "scripts/setup.sh").read_text(encoding="utf-8")
        )
    )
    return (
        f"Debian's llama.cpp {setup['llama'].split(':')[-1]} with ggml {setup['ggml']}, onnxruntime-genai "
        f"{pins['onnxruntime-genai']} with onnxruntime {pins['onnxruntime']}, ExecuTorch {setup['peer']}"
    )


def measure_all(options: argparse.Namespace) -> None:
    flags = processor.flags()
    results: records.Results = {
        "processor": processor.kind(flags),
        "flags": processor.shown(flags),
        "machine": machine(),
        "versions": versions(),
        "turns": [],
    }
    chosen = measure.Options(options.peers, options.models, options.only)
    for number in range(options.turns):
        results["turns"].append(measure.measure_turn(number, chosen))
        records.write(options.results, results)


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
        help="only scenarios whose name begins so, to try them",
    )
    commands.add_parser("page", help="writes the page and its pictures of all results")
    measuring.add_argument("--results", type=pathlib.Path, default=RESULTS)
    options = parser.parse_args()
    (measure_all if options.command == "measure" else write_page)(options)


if __name__ == "__main__":
    main()
