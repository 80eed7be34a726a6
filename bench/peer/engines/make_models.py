"""Writes the models of each peer into a folder, unless they are there from this version of what writes them.

    PYTHONPATH=bench/peer build/engines/python/bin/python -m engines.make_models build/engines/models \\
        --onepack build/release/tools/onepack
"""

import argparse
import importlib
import pathlib
import shutil

from . import shape

# Folder, module that writes it. onepack's are ExecuTorch's, too.
WRITERS = {"onepack": "onepack_models", "llama": "llama_models", "genai": "genai_models"}


def sources(module: str) -> str:
    here = pathlib.Path(shape.__file__).parent
    return "".join((here / f"{name}.py").read_text(encoding="utf-8") for name in ("shape", module))


def make(folder: pathlib.Path, module: str, arguments: list[str]) -> None:
    made = folder / "made_by"
    if made.exists() and made.read_text(encoding="utf-8") == sources(module):
        return
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    importlib.import_module(f".{module}", __package__).write(str(folder), *arguments)
    made.write_text(sources(module), encoding="utf-8")
    print(f"bench: wrote {folder}", flush=True)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("folder", type=pathlib.Path)
    parser.add_argument("--onepack", required=True, help="the command")
    options = parser.parse_args()
    for name, module in WRITERS.items():
        make(
            options.folder.resolve() / name, module, [options.onepack] if name == "onepack" else []
        )


if __name__ == "__main__":
    main()
