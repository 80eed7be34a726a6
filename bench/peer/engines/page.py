"""docs/engines.md, of the recorded results of each kind of processor."""

import statistics
from collections.abc import Callable

from digits import number

from .figures import AGAINST, BESIDES, TABLES, Figure
from .peers import OWN, PEERS, TITLES
from .processor import KINDS
from .processor import TITLES as PROCESSORS
from .records import Results, Turn

HEAD = """# Beside llama.cpp, ONNX Runtime GenAI and ExecuTorch

Made by `bash scripts/bench.sh --engines`; do not edit. A language model in the shape of Qwen3-0.6B (28 layers, a width of 1024,
16 heads over 8 cached ones, a vocabulary of 151,936), random weights, int4 in blocks of 32, activations rounded to int8 at run
time, a context of 2,048; LoRA adapters on the four linears of attention. Turns in which each engine runs in a process of its own,
one after the other and in an order that changes, so what slows the machine down for a while slows all; each ratio is of one turn.
Tables have the median of all turns and, in brackets, the lowest and the highest. Results of each kind of processor are kept apart
(`bench/results/engines_*.json`), and a run touches those of its own alone.
"""

TAIL = """## Where a goal is missed, and why

- *Start to first token.* The weights are read twice, once for their sums, which correct for zero points, and once for the token; their
  335 MB are mapped into the process by some 5,000 page faults. With VNNI the load takes 40 ms (11 of them sums, at the speed of memory), the
  first token 13 to 15, the process itself 5. A tenth of llama.cpp's start would be 43. The figures with AVX2 are from before scales were
  checked without a branch for each, which took 16 ms.
- *Anonymous memory of a further adapter.* It is a program of its own, with 255 delegates and 224 weights. Of 0.66 MB on the heap (valgrind's
  dhat), its entries in the cache take 115 KB, the places of its constants 83, its tensors 66, what says that their bytes are its own 110, its
  steps 52, delegates 90, values 42, the index of its data file 13. GenAI has one program for all adapters, whose inputs they are. What would
  change it: a fork of a loaded adapter that is given other weights ([scaling.md](scaling.md)).
- *AVX2, load of a further adapter, a prompt of 16 on two threads:* measured before a graph that several delegates have was planned once (25.4
  million instructions for a load of 28 layers then, 14.1 now), and in one turn.

## What is compared

| | weights | adapters | KV cache | read for a token |
| --- | --- | --- | --- | ---: |
| onepack, ExecuTorch | `8da4w` with scales as bf16; 8-bit embedding, of which a token reads one row; the head int4 like all others | f32, in programs over one foundation | f32 | 335 MB |
| llama.cpp | `Q4_0` with scales as f16, repacked when it is loaded; embedding and head are one | f32, in GGUF files | f16 | 335 MB |
| ONNX Runtime GenAI | `MatMulNBits`, `accuracy_level` 4, scales as f32, by its own model builder; embedding and head are one | f32, as inputs with empty defaults of a second model; `.onnx_adapter` files | f32 | 372 MB |

- One driver measures all, through each engine's own C or C++ API (`bench/peer/driver.cpp`, `bench/peer/*_engine.cpp`); without
  choosing a token. All compute logits for the last token of a prompt only. onepack and ExecuTorch run the same files and read
  prompts in chunks of 128. onepack is as it is by default; so is llama.cpp, but for the number of threads and the length of the
  context, and so is ExecuTorch, but for two things: its weights cache is switched on, and attention with the update of the KV
  cache is onepack's code, because ExecuTorch's wheel has no library with these two operators.
- What the versions say: onepack runs linears that are not in place over the system's XNNPACK, ExecuTorch all over its own.
- *Prompt*: each length is read once before it is timed, then 4 times (16), twice (128) and once (512), always from an empty context.
  *Generation* is of 16 tokens, after one that is not timed: after 0 once one token has been read before, after 500 and, on two
  threads, after 1,800 as the conversation with the prompt of 512 goes on.
- *Start* is from the start of the process to the first token after one token, with the files in the page cache, into which they are
  read before every process; *cold*: they were dropped from it, which a virtual machine's host may make up for. What it takes to read
  figures of memory in between is left out, but not with AVX2, which was measured before (10 ms of 159).
- *Memory*: of a context for 2,048 tokens, which onepack touches as it fills, ExecuTorch fills with zeros while it loads a program,
  and the others make when it is first used. After the first token they thus hold different things, so these rows have no ratio;
  with a context of 1,800 all hold the same tokens. It is that of the process that measured the prompts on two threads.
- Each run with adapters is checked: after the same tokens, the first logits of the base and of each adapter have to differ.
- *A further adapter* has rank 4; the mean of the second and the third. Each has a context of its own, which llama.cpp and
  ONNX Runtime GenAI get when it is first used.
- *Every core busy*: a process in an endless loop has each core.
- ONNX Runtime GenAI's base is the model without inputs for adapters; ratios of its adapters are to that. It has two models in
  memory as soon as an adapter is loaded, this and the one with inputs, which is loaded with the first adapter: *a further adapter*,
  which is the second or third, has no part of it.
- ExecuTorch and onepack keep the weights of all programs once; llama.cpp has one model for all.

## How to repeat it

```sh
bash scripts/bench.sh --engines            # all of it, 3 turns; the machine should do nothing else
bash scripts/bench.sh --engines --runs 1   # one turn
```

A turn takes about 6 minutes. It installs the peers into `build/engines` (`scripts/setup.sh --engines`; some gigabytes are downloaded, most
of them PyTorch, by which ONNX Runtime GenAI's model is made), builds the driver, writes the models there, measures, and writes the
results, this page and its picture. `build/engines` takes 8 GB in the end, and 10 while the models are written.
"""


def of_one(figure: Figure, peer: str, turns: list[Turn]) -> list[float]:
    return [value for value in (figure.of(turn, peer) for turn in turns) if value is not None]


def ratios(figure: Figure, others: tuple[str, ...], turns: list[Turn]) -> list[float]:
    # Percents may be negative, and have no ratio that says anything.
    if figure.unit == "%":
        return []
    return [value for value in (figure.ratio(turn, others) for turn in turns) if value is not None]


def median_and_range(values: list[float], text: Callable[[float], str], unit: str = "") -> str:
    if not values:
        return "–"
    unit = f" {unit}" if unit else ""
    if len(values) == 1:
        return f"**{text(values[0])}**{unit}"
    return (
        f"**{text(statistics.median(values))}**{unit} ({text(min(values))} to {text(max(values))})"
    )


def ratio_text(value: float) -> str:
    return f"{value:.2f}"


def goal_cell(figure: Figure, turns: list[Turn]) -> str:
    if figure.goal is None:
        return ""
    if figure.goal.absolute:
        values = of_one(figure, OWN, turns)
    else:
        values = ratios(figure, AGAINST, turns)
    sign = "≥" if figure.more_is_better else "≤"
    unit = f" {figure.unit}" if figure.goal.absolute and figure.unit else ""
    mark = "" if not values else " ✓" if figure.reaches(statistics.median(values)) else " ✗"
    return f"{sign} {figure.goal.bound:g}{unit}{mark}"


def row(figure: Figure, turns: list[Turn]) -> str:
    cells = [figure.title]
    for peer in PEERS:
        cells.append(median_and_range(of_one(figure, peer, turns), number, figure.unit))
    for others in (AGAINST, BESIDES):
        cells.append(median_and_range(ratios(figure, others, turns), ratio_text))
    return "| " + " | ".join(cells + [goal_cell(figure, turns)]) + " |"


def table(title: str, figures: tuple[Figure, ...], turns: list[Turn]) -> list[str]:
    names = [TITLES[peer] for peer in PEERS]
    return [
        "",
        f"### {title}",
        "",
        "| figure | "
        + " | ".join(names)
        + " | ours / the better of llama.cpp and GenAI | ours / ExecuTorch | goal |",
        "| --- |" + " ---: |" * (len(names) + 3),
        *(row(figure, turns) for figure in figures),
    ]


def failures(turns: list[Turn]) -> list[str]:
    found = sorted(
        {
            (key, peer, result["error"].splitlines()[-1])
            for turn in turns
            for key, by_peer in turn.items()
            for peer, result in by_peer.items()
            if "error" in result
        }
    )
    if not found:
        return []
    return [
        "",
        "What failed:",
        "",
        *(f"- {TITLES[peer]}, `{key}`: {error}" for key, peer, error in found),
    ]


def section(results: Results) -> list[str]:
    turns = results["turns"]
    counted = f"{len(turns)} turn{'' if len(turns) == 1 else 's'}"
    lines = [
        f"## {PROCESSORS[results['processor']]}",
        "",
        f"{results['machine']} ({', '.join(results['flags'])}); {counted}. {results['versions']}.",
    ]
    for title, figures in TABLES:
        lines += table(title, figures, turns)
    return (
        lines
        + failures(turns)
        + ["", f"![Tokens per second as bars](engines_{results['processor']}.svg)"]
    )


def markdown(recorded: dict[str, Results], old_sections: dict[str, str]) -> str:
    """`recorded`: results by kind of processor. `old_sections`: what is to be said of kinds without such results."""
    parts = [HEAD]
    for kind, _, _ in KINDS:
        if kind in recorded:
            parts.append("\n".join(section(recorded[kind])) + "\n")
        elif kind in old_sections:
            parts.append(old_sections[kind])
    return "\n".join(parts + [TAIL])
