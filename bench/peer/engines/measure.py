"""Runs all scenarios for all peers in turns."""

import dataclasses
import glob
import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator

from .peers import CHUNK, PEERS, program
from .records import Result, Turn
from .scenarios import CONTEXTS, SCENARIOS, Scenario

# Of one process; far more than any takes.
TIMEOUT = 300


@dataclasses.dataclass(frozen=True)
class Options:
    peers: str  # folder with peer_onepack and the others
    models: str  # folder that make_models.py wrote
    only: str = ""  # what the names of the scenarios begin with


def files_of(programs: list[str]) -> Iterator[str]:
    """A program of ONNX Runtime GenAI is a folder."""
    for path in ",".join(programs).split(","):
        yield from glob.glob(f"{path}/*") if os.path.isdir(path) else [path]


def drop_from_page_cache(path: str) -> None:
    file = os.open(path, os.O_RDONLY)
    try:
        os.fdatasync(file)
        os.posix_fadvise(file, 0, 0, os.POSIX_FADV_DONTNEED)
    finally:
        os.close(file)


def read_into_page_cache(path: str) -> None:
    """Whole: the system may have dropped what was not used for some minutes."""
    with open(path, "rb", buffering=0) as file:
        while file.read(1 << 24):
            pass


def adapters_that_change_nothing(found: Result) -> str | None:
    """What is wrong where programs over one base give the same after the same tokens."""
    outputs = found.get("first_outputs", [])
    if None not in outputs and len(set(outputs)) == len(outputs):
        return None
    return f"an adapter is not applied: the first outputs of the programs are {outputs}"


def run(scenario: Scenario, peer: str, options: Options) -> Result:
    """What the driver says, with when it was started; or what went wrong."""
    programs = [program(peer, options.models, adapter) for adapter in scenario.programs]
    command = [
        f"{options.peers}/peer_{peer}",
        f"llm_{scenario.name}",
        "--threads",
        str(scenario.threads),
        "--chunk",
        str(CHUNK[peer]),
        "--longest-context",
        str(max(CONTEXTS[scenario.threads])),
    ]
    for files in programs:
        command += ["--program", files]
    for path in sorted(set(files_of(programs))):
        (drop_from_page_cache if scenario.cold else read_into_page_cache)(path)
    start = time.monotonic_ns()
    try:
        done = subprocess.run(
            command,
            capture_output=True,
            text=True,
            check=False,
            timeout=TIMEOUT,
        )
    except subprocess.TimeoutExpired:
        return {"error": f"took more than {TIMEOUT} s"}
    if done.returncode != 0:
        return {"error": done.stderr.strip()[-500:] or f"ended with {done.returncode}"}
    found = json.loads(done.stdout.splitlines()[-1])
    if found["peer"] != peer:
        return {"error": f"is {found['peer']}"}
    wrong = adapters_that_change_nothing(found)
    if wrong is not None:
        return {"error": wrong}
    return dict(found, started_at_ns=start)


def order_of(turn: int) -> tuple[str, ...]:
    """Each peer is first in one turn of four; then the same backwards."""
    first = turn % len(PEERS)
    order = PEERS[first:] + PEERS[:first]
    return order[::-1] if turn // len(PEERS) % 2 == 1 else order


def measure_turn(number: int, options: Options) -> Turn:
    """{scenario: {peer: what was found}}."""
    turn: Turn = {}
    for scenario in SCENARIOS:
        if not scenario.key.startswith(options.only):
            continue
        turn[scenario.key] = {}
        for peer in order_of(number):
            start = time.monotonic()
            found = run(scenario, peer, options)
            turn[scenario.key][peer] = found
            said = found.get("error") or f"{time.monotonic() - start:.1f} s"
            print(
                f"bench: turn {number + 1}, {scenario.key}, {peer}: {said}",
                file=sys.stderr,
                flush=True,
            )
    return turn
