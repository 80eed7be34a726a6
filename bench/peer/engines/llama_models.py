"""The model as llama.cpp reads it: GGUF files, every matrix Q4_0, the embedding is the head. Needs the package gguf."""

from collections.abc import Iterable, Iterator

import gguf
import numpy
import numpy.typing

from .shape import (
    ADAPTED,
    CONTEXT,
    EPSILON,
    GROUP,
    HEAD_WIDTH,
    HEADS,
    HIDDEN,
    KV_HEADS,
    LAYERS,
    LINEARS,
    ROPE_BASE,
    VOCABULARY,
    WIDTH,
    adapters,
)

Bytes = numpy.typing.NDArray[numpy.uint8]

ARCHITECTURE = "qwen3"
# In a GGUF file, by name in LINEARS.
NAMES = {
    "q": "attn_q",
    "k": "attn_k",
    "v": "attn_v",
    "output": "attn_output",
    "gate": "ffn_gate",
    "up": "ffn_up",
    "down": "ffn_down",
}
# Of 16 values that are equally likely.
DEVIATION_OF_NIBBLES = 4.6


def linears(names: Iterable[str]) -> Iterator[tuple[str, int, int]]:
    """Name in a GGUF file, outputs, inputs."""
    for layer in range(LAYERS):
        for name in names:
            yield f"blk.{layer}.{NAMES[name]}.weight", *LINEARS[name]


def norms() -> Iterator[tuple[str, int]]:
    yield "output_norm", WIDTH
    for layer in range(LAYERS):
        yield f"blk.{layer}.attn_norm", WIDTH
        yield f"blk.{layer}.ffn_norm", WIDTH
        yield f"blk.{layer}.attn_q_norm", HEAD_WIDTH
        yield f"blk.{layer}.attn_k_norm", HEAD_WIDTH


def random_q4_0(random: numpy.random.Generator, outputs: int, inputs: int) -> Bytes:
    """Rows of groups: a scale as f16, then 32 weights in 16 bytes. Their deviation is 1 / sqrt(inputs)."""
    groups = inputs // GROUP
    scale = numpy.float16(1 / (DEVIATION_OF_NIBBLES * inputs**0.5))
    blocks = numpy.empty((outputs, groups, 2 + GROUP // 2), numpy.uint8)
    blocks[..., :2] = numpy.frombuffer(scale.tobytes(), numpy.uint8)
    blocks[..., 2:] = random.integers(0, 256, (outputs, groups, GROUP // 2), numpy.uint8)
    return blocks.reshape(outputs, -1)


def finish(writer: gguf.GGUFWriter) -> None:
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_base(path: str) -> None:
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_block_count(LAYERS)
    writer.add_context_length(CONTEXT)
    writer.add_embedding_length(WIDTH)
    writer.add_feed_forward_length(HIDDEN)
    writer.add_head_count(HEADS)
    writer.add_head_count_kv(KV_HEADS)
    writer.add_key_length(HEAD_WIDTH)
    writer.add_value_length(HEAD_WIDTH)
    writer.add_rope_freq_base(ROPE_BASE)
    writer.add_layer_norm_rms_eps(EPSILON)
    writer.add_vocab_size(VOCABULARY)
    writer.add_tokenizer_model("none")
    writer.add_file_type(gguf.LlamaFileType.MOSTLY_Q4_0)
    random = numpy.random.default_rng(0)
    for name, outputs, inputs in [("token_embd.weight", VOCABULARY, WIDTH), *linears(LINEARS)]:
        writer.add_tensor(
            name, random_q4_0(random, outputs, inputs), raw_dtype=gguf.GGMLQuantizationType.Q4_0
        )
    for name, width in norms():
        writer.add_tensor(f"{name}.weight", numpy.ones(width, numpy.float32))
    finish(writer)


def write_adapter(path: str, rank: int, seed: int) -> None:
    writer = gguf.GGUFWriter(path, ARCHITECTURE)
    writer.add_type(gguf.GGUFType.ADAPTER)
    writer.add_string(gguf.Keys.Adapter.TYPE, "lora")
    writer.add_float32(gguf.Keys.Adapter.LORA_ALPHA, float(rank))
    random = numpy.random.default_rng(seed)
    for name, outputs, inputs in linears(ADAPTED):
        for part, shape in (("a", (rank, inputs)), ("b", (outputs, rank))):
            writer.add_tensor(
                f"{name}.lora_{part}", random.standard_normal(shape, numpy.float32) / 100
            )
    finish(writer)


def adapter_path(folder: str, rank: int, number: int) -> str:
    return f"{folder}/rank{rank}_{number}.gguf"


def base_path(folder: str) -> str:
    return f"{folder}/base.gguf"


def write(folder: str) -> None:
    write_base(base_path(folder))
    for rank, number in adapters():
        write_adapter(adapter_path(folder, rank, number), rank, seed=100 * rank + number)
