"""python -m onepack COMMAND. The command of the tools, ``onepack``, is another one (tools/)."""

from __future__ import annotations

import argparse
import sys
from collections.abc import Sequence


def main(argv: Sequence[str] | None = None) -> int:
    """The status of the process."""
    parser = argparse.ArgumentParser(prog="python -m onepack")
    commands = parser.add_subparsers(required=True, metavar="COMMAND")
    about = "a server of OpenAI's API: one foundation, many adapters"
    serve = commands.add_parser("serve", help=about, description=about)
    try:
        from onepack.serve import cli
    except ImportError as error:
        serve.exit(1, f"{error}\n")
    cli.add_arguments(serve)
    serve.set_defaults(run=cli.run)
    arguments = parser.parse_args(argv)
    return int(arguments.run(arguments))


if __name__ == "__main__":
    sys.exit(main())
