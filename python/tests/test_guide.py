"""What docs/guide.md shows is run, in one shell and in its order, and answers what the guide says.

Its blocks are of three kinds: `console`, commands after a "$ " with what they print; `python`, which
is a command, too, and prints the block `text` behind it; and all others, which are not run, since
they install something or need torch. "..." in what is printed stands for anything.
"""

from __future__ import annotations

import doctest
import os
import platform
import re
import shutil
import socket
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest
from serving import COMMAND

ROOT = Path(__file__).resolve().parents[2]
GUIDE = ROOT / "docs" / "guide.md"

# A command goes on after a line that ends in a backslash.
COMMAND_AND_OUTPUT = re.compile(r"^\$ ((?:.*\\\n)*.*\n)((?:(?!\$ ).*\n)*)", re.MULTILINE)
END = "end of a step of the guide"
SAME = doctest.ELLIPSIS | doctest.NORMALIZE_WHITESPACE


class Step(NamedTuple):
    command: str
    prints: str


def steps_of(guide: str) -> list[Step]:
    steps: list[Step] = []
    before = ""
    for kind, block in re.findall(r"^```(\w+)\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE):
        if kind == "console":
            steps += [Step(*found) for found in COMMAND_AND_OUTPUT.findall(block)]
        elif kind == "python":
            steps.append(Step(f"python - <<'END'\n{block}END\n", ""))
        elif (before, kind) == ("python", "text"):
            steps[-1] = steps[-1]._replace(prints=block)
        before = kind
    return steps


def run(steps: list[Step], folder: Path) -> list[str]:
    """What each of them printed. The last one may have failed."""
    script = "trap 'kill $(jobs -p) 2>/dev/null' EXIT; set -eo pipefail\n"
    script += "".join(f"{step.command}echo '{END}'\n" for step in steps)
    programs = [str(Path(COMMAND).parent), str(Path(sys.executable).parent)]
    path = os.pathsep.join([*programs, os.environ["PATH"]])
    environment = {**os.environ, "PATH": path, "LC_ALL": "C.UTF-8"}  # an order of names for all
    done = subprocess.run(
        ["timeout", "100", "bash", "-c", script],  # which ends what runs in the background, too
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        text=True,
        check=False,
    )
    return done.stdout.split(f"{END}\n")


def a_free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def needs_what_the_guide_needs() -> None:
    if not COMMAND or shutil.which("curl") is None:
        pytest.skip("needs the command onepack, and curl")
    if platform.machine() != "x86_64":
        pytest.skip("what runs in place, and what is packed, is shown for x86-64")
    files = ROOT / "examples/tiny_lm/files"
    command = [COMMAND, "generate", "--program", f"{files}/8da4w/base.pte"]
    command += ["--data", f"{files}/8da4w/foundation.ptd"]
    command += ["--tokenizer", f"{files}/tokenizer.model"]
    command += ["--prompt", "Anna", "--max-new-tokens", "1"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    if "built without SentencePiece" in done.stderr:
        pytest.skip("the command was built without SentencePiece")


def test_what_the_guide_shows_is_what_happens(tmp_path: Path) -> None:
    needs_what_the_guide_needs()
    (tmp_path / "examples").symlink_to(ROOT / "examples")
    steps = steps_of(GUIDE.read_text().replace("8000", a_free_port()))
    assert len(steps) > 10
    printed = run(steps, tmp_path)
    checker = doctest.OutputChecker()
    for step, got in zip(steps, printed, strict=False):
        same = checker.check_output(step.prints, got, SAME)
        example = doctest.Example(step.command, step.prints)
        assert same, step.command + checker.output_difference(example, got, SAME)
    assert len(printed) == len(steps) + 1, f"{steps[len(printed) - 1].command} failed"
