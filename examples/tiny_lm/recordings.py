"""Recordings of the exported programs, in the form of tests/data/cases: what ExecuTorch's own
runtime answers."""

from __future__ import annotations

import pathlib
import subprocess
import sys
import tempfile

import executorch.extension.llm.custom_ops.custom_ops  # registers attention
import executorch.kernels.quantized  # noqa: F401  (registers the lookup of an int8 embedding)
import sentencepiece
import torch
from executorch.extension.pybindings import portable_lib

# The one writer of recorded cases (ARCHITECTURE.md).
sys.path.append(str(pathlib.Path(__file__).resolve().parents[2] / "tests/conformance"))
from recording import CaseFiles

PROMPT = "Anna lives in Oslo. She has a red bicycle and likes soup."
CALLS = 8  # the prompt, and a token each

# (atol, rtol) of logits. Those of 8da4w allow for one step of a quantized activation
# (tests/data/cases/README.md).
TOLERANCES = {"fp32": (2e-4, 2e-4), "8da4w": (0.2, 0.04)}


def record(
    folder: pathlib.Path,
    name: str,
    tokenizer: sentencepiece.SentencePieceProcessor,
    onepack: pathlib.Path,
) -> None:
    """Writes NAME.json and NAME.bin beside `folder`'s NAME.pte."""
    data = ["foundation.ptd"] if name == "base" else ["foundation.ptd", f"{name}.ptd"]
    files = CaseFiles(
        folder,
        name,
        f"{name}.pte",
        data,
        "forward",
        *TOLERANCES[folder.name],
        family=f"tiny_lm_{folder.name}",
    )
    with tempfile.TemporaryDirectory() as scratch:
        # In Python that runtime takes one data file: it gets a program with all of its data.
        alone = pathlib.Path(scratch) / f"{name}.pte"
        paths = ",".join(str(folder / file) for file in data)
        merge = [str(onepack), "merge", str(folder / f"{name}.pte"), "--data", paths]
        merge += ["--output", str(alone)]
        subprocess.run(merge, check=True, stdout=subprocess.DEVNULL)
        program = portable_lib._load_for_executorch(str(alone))
        files.write(greedy=_add_calls(files, program, tokenizer.encode(PROMPT)))


def _add_calls(
    files: CaseFiles, program: portable_lib.ExecuTorchModule, prompt: list[int]
) -> list[int]:
    """The tokens that are chosen, each from the logits of a call."""
    chosen: list[int] = []
    tokens, position = prompt, 0
    for _ in range(CALLS):
        inputs = (torch.tensor([tokens]), torch.tensor([position]))
        logits = program.run_method("forward", inputs)[0].clone()
        files.add_call(inputs, [logits])
        position += len(tokens)
        chosen.append(int(logits.argmax()))
        tokens = chosen[-1:]
    return chosen
