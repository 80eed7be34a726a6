"""The command: python -m onepack serve."""

from __future__ import annotations

import argparse
import ipaddress
import os
import sys
from collections.abc import Sequence
from pathlib import Path

from onepack import Error, LinearLayout
from onepack.serve.files import AdapterFiles, EngineFiles, api_key_in, cores, open_engine
from onepack.serve.listen import listen
from onepack.serve.prefixes import ContextLimits, default_context_bytes
from onepack.serve.web.app import AppOptions, create_app

KEY_VARIABLE = "ONEPACK_API_KEY"
_LOOPBACK_NAMES = ("localhost", "127.0.0.1", "::1")
_LAYOUTS = {"auto": LinearLayout.AUTO, "in-place": LinearLayout.IN_PLACE}
_LAYOUTS["packed"] = LinearLayout.PACKED


def add_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("program", type=Path, metavar="BASE.pte", help="the base, which needs the foundation only")
    add("--data", type=_paths, default=(), metavar="FILE,...", help="the foundation")
    add("--tokenizer", type=Path, required=True, metavar="PLACE", help="a file or a folder")
    add(
        "--adapter",
        type=_adapter,
        action="append",
        default=[],
        metavar="NAME=FILE.pte,FILE.ptd,...",
        help="an adapter: its program and its own data files; for each adapter once",
    )
    add("--name", default="", help="of the base as a model; default: its file's")
    add("--adapters-dir", type=_folder, metavar="DIR", help="adapters may be added from here")
    _add_network_arguments(parser)
    _add_engine_arguments(parser)


def _add_network_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add("--host", default="127.0.0.1", help="the address to listen at; default: %(default)s")
    add("--port", type=int, default=8000, help="default: %(default)s; 0: one that is free")
    add(
        "--allowed-host",
        action="append",
        default=[],
        metavar="NAME",
        help="a name that clients call the server by; default: any, on the loopback interface its own",
    )
    add(
        "--api-key-file",
        type=Path,
        metavar="FILE",
        help=f"contains the key that is required of requests; default: the environment variable {KEY_VARIABLE}, or none",
    )
    levels = ["critical", "error", "warning", "info", "debug"]
    add("--log-level", default="info", choices=levels, help="default: %(default)s")


def _add_engine_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--parallel",
        type=_count,
        default=cores(),
        metavar="N",
        help="models that run at a time; default: as many as there are cores, %(default)s",
    )
    add(
        "--queue",
        type=_count_or_none,
        default=64,
        metavar="N",
        help="requests that wait at a time, for all models together; default: %(default)s",
    )
    add(
        "--grace",
        type=_count_or_none,
        default=10,
        metavar="S",
        help="seconds that answers get to end when the server is told to stop; default: %(default)s",
    )
    add(
        "--threads",
        type=_count,
        default=1,
        metavar="N",
        help="threads that all models share for a run; default: %(default)s",
    )
    _add_context_arguments(parser)
    add(
        "--linears",
        choices=list(_LAYOUTS),
        default="auto",
        help="how weights of linear layers are kept (docs/linears.md); default: %(default)s",
    )
    add(
        "--packed",
        type=Path,
        metavar="FILE",
        help="a file that keeps packed weights (docs/packed_files.md); default: none",
    )


def _add_context_arguments(parser: argparse.ArgumentParser) -> None:
    add = parser.add_argument
    add(
        "--context-memory",
        type=_count_or_none,
        default=default_context_bytes(),
        metavar="BYTES",
        help="memory for contexts that have read what several prompts begin with; those that were not "
        "used for the longest time are given back; 0: keep none; default: 1 GiB, or an eighth of the "
        "memory of the machine or its control group where that is less, here %(default)s",
    )
    add(
        "--contexts",
        type=_count_or_none,
        default=ContextLimits.count,
        metavar="N",
        help="how many of those are kept at most: each may take 4,097 of the mappings that a process may "
        "have (vm.max_map_count, 65,530 as a rule); default: %(default)s",
    )
    add(
        "--prefill-chunk",
        type=_count_or_none,
        default=ContextLimits.chunk,
        metavar="N",
        help="tokens of a prompt that a model reads in one call: prompts are shared in whole chunks; "
        "default: 0, as many as it takes",
    )


def run(arguments: argparse.Namespace) -> int:
    """Serves until it is told to stop. The status of the process."""
    try:
        options = _app_options(arguments)
        engine = open_engine(
            _files(arguments),
            parallel=arguments.parallel,
            queue_limit=arguments.queue,
            threads=arguments.threads,
            linears=_LAYOUTS[arguments.linears],
            contexts=_context_limits(arguments),
        )
    except (Error, OSError, ImportError, ValueError) as error:
        print(f"onepack serve: {error}", file=sys.stderr)
        return 1
    if options.api_key is None and not _is_loopback(arguments.host):
        warning = f"whoever reaches {arguments.host} may use it: no API key is required"
        print(f"onepack serve: warning: {warning}", file=sys.stderr)
    return listen(
        create_app(engine, options),
        engine,
        grace=arguments.grace,
        host=arguments.host,
        port=arguments.port,
        log_level=arguments.log_level,
    )


def _files(arguments: argparse.Namespace) -> EngineFiles:
    return EngineFiles(
        arguments.program,
        arguments.data,
        arguments.tokenizer,
        tuple(arguments.adapter),
        arguments.name,
        arguments.packed,
    )


def _context_limits(arguments: argparse.Namespace) -> ContextLimits:
    return ContextLimits(arguments.context_memory, arguments.contexts, arguments.prefill_chunk)


def _app_options(arguments: argparse.Namespace) -> AppOptions:
    hosts = tuple(arguments.allowed_host)
    if not hosts and _is_loopback(arguments.host):
        hosts = (*_LOOPBACK_NAMES, arguments.host)
    return AppOptions(_api_key(arguments.api_key_file), arguments.adapters_dir, hosts)


def _api_key(file: Path | None) -> str | None:
    key = os.environ.get(KEY_VARIABLE) if file is None else file.read_text(encoding="utf-8")
    if key is None:
        return None
    return api_key_in(key, file or KEY_VARIABLE)


def _is_loopback(host: str) -> bool:
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host.lower() == "localhost"


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(Path(part) for part in text.split(",") if part)


def _adapter(text: str) -> AdapterFiles:
    name, equals, files = text.partition("=")
    paths: Sequence[Path] = _paths(files)
    if not (name and equals and paths):
        raise argparse.ArgumentTypeError(f"{text!r} is not NAME=FILE.pte,FILE.ptd")
    return AdapterFiles(name, paths[0], tuple(paths[1:]))


def _folder(text: str) -> Path:
    path = Path(text)
    if not path.is_dir():
        raise argparse.ArgumentTypeError(f"{text!r} is not a folder")
    return path


def _count(text: str) -> int:
    return _number_from(1, text)


def _count_or_none(text: str) -> int:
    return _number_from(0, text)


def _number_from(least: int, text: str) -> int:
    if not (text.isascii() and text.isdigit() and least <= int(text) <= sys.maxsize):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number from {least} on")
    return int(text)
