"""The model as ONNX Runtime GenAI reads it: its own model builder (int4 in blocks of 32, int8 activations, logits of the
last token only; the embedding is the head), and the same with LoRA adapters. Needs what requirements.txt names; nothing
is downloaded.

A model with adapters has two more products at each linear that they change, whose weights are inputs with empty defaults; an adapter is a
file with those weights.
"""

import os
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Iterator

import numpy
import onnx
import onnxruntime
import tokenizers
import torch
import transformers

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

# Of the builder's nodes: what comes from one product, which a node of this type (its name in the layer) has as its outputs
# in this order. That product's name, and that node's name and type.
PRODUCTS = (
    (("q", "k", "v"), "attn/qkv_proj/MatMul", "attn/qkv_proj/Split", "Split"),
    (("output",), "attn/o_proj/MatMul", "attn/o_proj/MatMul", "MatMulNBits"),
)
MODEL = "model.onnx"


def write_transformers_model(folder: str) -> None:
    """What the builder reads: configuration, weights, and some tokenizer."""
    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY,
        hidden_size=WIDTH,
        intermediate_size=HIDDEN,
        num_hidden_layers=LAYERS,
        num_attention_heads=HEADS,
        num_key_value_heads=KV_HEADS,
        head_dim=HEAD_WIDTH,
        rms_norm_eps=EPSILON,
        max_position_embeddings=CONTEXT,
        rope_theta=ROPE_BASE,
        tie_word_embeddings=True,
        bos_token_id=0,
        eos_token_id=VOCABULARY - 1,
        pad_token_id=VOCABULARY - 1,
    )
    torch.manual_seed(0)
    transformers.Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    transformers.PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)


def write_base(folder: str) -> None:
    with tempfile.TemporaryDirectory(dir=os.path.dirname(folder)) as work:
        write_transformers_model(f"{work}/model")
        subprocess.run(
            [
                sys.executable,
                "-m",
                "onnxruntime_genai.models.builder",
                "-i",
                f"{work}/model",
                "-o",
                folder,
                "-c",
                f"{work}/cache",
                "-p",
                "int4",
                "-e",
                "cpu",
                "--extra_options",
                "accuracy_level=4",
                f"block_size={GROUP}",
                "prune_lm_head=true",
                "shared_embeddings=true",
                "hf_token=false",
            ],
            check=True,
        )


def linears() -> Iterator[tuple[int, str]]:
    """Layer, name in LINEARS."""
    for layer in range(LAYERS):
        for name in ADAPTED:
            yield layer, name


def node_of(graph: onnx.GraphProto, part: str, kind: str) -> onnx.NodeProto:
    found = [node for node in graph.node if part in node.name and node.op_type == kind]
    if len(found) != 1:
        raise SystemExit(f"{len(found)} nodes {kind} have {part} in their name; expected 1")
    return found[0]


def weight_names(layer: int, name: str) -> tuple[str, str]:
    return f"layers.{layer}.{name}.lora_A.weight", f"layers.{layer}.{name}.lora_B.weight"


def add_weight(graph: onnx.GraphProto, name: str, shape: tuple[int, int], rank_axis: int) -> None:
    """An input, empty unless it is given."""
    sizes = ["rank" if axis == rank_axis else size for axis, size in enumerate(shape)]
    graph.input.append(onnx.helper.make_tensor_value_info(name, onnx.TensorProto.FLOAT, sizes))
    empty = numpy.empty(
        [0 if axis == rank_axis else size for axis, size in enumerate(shape)], numpy.float32
    )
    graph.initializer.append(onnx.numpy_helper.from_array(empty, name))


def add_lora(
    graph: onnx.GraphProto, layer: int, name: str, node: onnx.NodeProto, index: int, x: str
) -> None:
    """To output `index` of `node`, which is that of the linear `name` over `x`."""
    outputs, inputs = LINEARS[name]
    first, second = weight_names(layer, name)
    add_weight(graph, first, (inputs, 0), 1)
    add_weight(graph, second, (0, outputs), 0)
    result = node.output[index]
    prefix = f"layers.{layer}.{name}.lora"
    base, low, own = (f"{prefix}.{what}" for what in ("base", "low", "own"))
    node.output[index] = base
    place = list(graph.node).index(node) + 1
    added = (
        onnx.helper.make_node("MatMul", [x, first], [low], f"{prefix}_A"),
        onnx.helper.make_node("MatMul", [low, second], [own], f"{prefix}_B"),
        onnx.helper.make_node("Add", [base, own], [result], f"{prefix}_Add"),
    )
    for offset, new in enumerate(added):
        graph.node.insert(place + offset, new)


def add_all_lora(graph: onnx.GraphProto) -> None:
    for layer in range(LAYERS):
        for names, product, owner, kind in PRODUCTS:
            x = node_of(graph, f"/layers.{layer}/{product}", "MatMulNBits").input[0]
            for index, name in enumerate(names):
                node = node_of(graph, f"/layers.{layer}/{owner}", kind)
                add_lora(graph, layer, name, node, index, x)


def write_with_inputs(base: str, folder: str) -> None:
    """Beside the same data file as the base."""
    os.makedirs(folder)
    model = onnx.load(f"{base}/{MODEL}", load_external_data=False)
    add_all_lora(model.graph)
    onnx.save(model, f"{folder}/{MODEL}")
    for name in os.listdir(base):
        if name == MODEL:
            continue
        if name.startswith(MODEL):
            os.link(f"{base}/{name}", f"{folder}/{name}")
        else:
            shutil.copy(f"{base}/{name}", folder)


def write_adapter(path: str, rank: int, seed: int) -> None:
    random = numpy.random.default_rng(seed)
    weights = {}
    for layer, linear in linears():
        outputs, inputs = LINEARS[linear]
        shapes = ((inputs, rank), (rank, outputs))
        for name, shape in zip(weight_names(layer, linear), shapes, strict=True):
            weights[name] = onnxruntime.OrtValue.ortvalue_from_numpy(
                random.standard_normal(shape, numpy.float32) / 100
            )
    file = onnxruntime.AdapterFormat()
    file.set_adapter_version(1)
    file.set_model_version(1)
    file.set_parameters(weights)
    file.export_adapter(path)


def base_path(folder: str) -> str:
    return f"{folder}/base"


def with_adapters_path(folder: str) -> str:
    return f"{folder}/with_adapters"


def adapter_path(folder: str, rank: int, number: int) -> str:
    return f"{folder}/rank{rank}_{number}.onnx_adapter"


def write(folder: str) -> None:
    write_base(base_path(folder))
    write_with_inputs(base_path(folder), with_adapters_path(folder))
    for rank, number in adapters():
        write_adapter(adapter_path(folder, rank, number), rank, seed=100 * rank + number)
