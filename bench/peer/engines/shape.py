"""The model that every engine gets, with random weights: the shape of Qwen3-0.6B, and LoRA adapters on its linears."""

from collections.abc import Iterator

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD_WIDTH, HIDDEN, VOCABULARY = 28, 1024, 16, 8, 128, 3072, 151936
CONTEXT, ROPE_BASE, EPSILON = 2048, 1e6, 1e-6
# Weights that share a scale.
GROUP = 32
# Of one layer: outputs, inputs.
LINEARS = {
    "q": (HEADS * HEAD_WIDTH, WIDTH),
    "k": (KV_HEADS * HEAD_WIDTH, WIDTH),
    "v": (KV_HEADS * HEAD_WIDTH, WIDTH),
    "output": (WIDTH, HEADS * HEAD_WIDTH),
    "gate": (HIDDEN, WIDTH),
    "up": (HIDDEN, WIDTH),
    "down": (WIDTH, HIDDEN),
}
# Those that adapters change.
ADAPTED = ("q", "k", "v", "output")
# How many adapters of each rank.
ADAPTERS = {4: 3, 16: 1, 64: 1}


def adapters() -> Iterator[tuple[int, int]]:
    """Rank, number."""
    for rank, count in ADAPTERS.items():
        for number in range(count):
            yield rank, number
