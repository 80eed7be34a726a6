#!/usr/bin/env python3
"""Models of random weights in the shape of Qwen3-0.6B for the engines that engines.py compares.

    python3 bench/peer/make_engine_models.py FOLDER

writes FOLDER/qwen3.gguf for llama.cpp (every matrix Q4_0; the embedding is the head) and FOLDER/genai for ONNX
Runtime GenAI (its model builder: int4 in blocks of 32, int8 activations, logits of the last token only; the embedding
is the head). Needs the Python packages gguf, torch, transformers, onnxruntime-genai, onnx, onnx_ir and sympy. Nothing
is downloaded. The same for onepack:

    onepack make-model llm FOLDER/onepack --preset Qwen3-0.6B --weights 8da4w --int8-embedding --adapters 0
"""

import argparse
import os
import subprocess
import sys
import tempfile

import numpy

LAYERS, WIDTH, HEADS, KV_HEADS, HEAD_WIDTH, HIDDEN, VOCABULARY = 28, 1024, 16, 8, 128, 3072, 151936
CONTEXT, ROPE_BASE, EPSILON = 512, 1e6, 1e-6
Q4_0_GROUP = 32


def matrices():
    """Name in a GGUF file, outputs, inputs."""
    yield "token_embd", VOCABULARY, WIDTH
    for layer in range(LAYERS):
        yield f"blk.{layer}.attn_q", HEADS * HEAD_WIDTH, WIDTH
        yield f"blk.{layer}.attn_k", KV_HEADS * HEAD_WIDTH, WIDTH
        yield f"blk.{layer}.attn_v", KV_HEADS * HEAD_WIDTH, WIDTH
        yield f"blk.{layer}.attn_output", WIDTH, HEADS * HEAD_WIDTH
        yield f"blk.{layer}.ffn_gate", HIDDEN, WIDTH
        yield f"blk.{layer}.ffn_up", HIDDEN, WIDTH
        yield f"blk.{layer}.ffn_down", WIDTH, HIDDEN


def norms():
    yield "output_norm", WIDTH
    for layer in range(LAYERS):
        yield f"blk.{layer}.attn_norm", WIDTH
        yield f"blk.{layer}.ffn_norm", WIDTH
        yield f"blk.{layer}.attn_q_norm", HEAD_WIDTH
        yield f"blk.{layer}.attn_k_norm", HEAD_WIDTH


def random_q4_0(random, outputs, inputs):
    """Rows of groups: a scale as f16, then 32 weights in 16 bytes. Their deviation is 1 / sqrt(inputs)."""
    groups = inputs // Q4_0_GROUP
    deviation_of_nibbles = 4.6
    scale = numpy.float16(1 / (deviation_of_nibbles * inputs**0.5))
    blocks = numpy.empty((outputs, groups, 2 + Q4_0_GROUP // 2), numpy.uint8)
    blocks[..., :2] = numpy.frombuffer(scale.tobytes(), numpy.uint8)
    blocks[..., 2:] = random.integers(0, 256, (outputs, groups, Q4_0_GROUP // 2), numpy.uint8)
    return blocks.reshape(outputs, -1)


def write_gguf(path):
    import gguf

    writer = gguf.GGUFWriter(path, "qwen3")
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
    for name, outputs, inputs in matrices():
        writer.add_tensor(f"{name}.weight", random_q4_0(random, outputs, inputs),
                          raw_dtype=gguf.GGMLQuantizationType.Q4_0)
    for name, width in norms():
        writer.add_tensor(f"{name}.weight", numpy.ones(width, numpy.float32))
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()


def write_transformers_model(folder):
    """What the builder of ONNX Runtime GenAI reads: configuration, weights, and some tokenizer."""
    import tokenizers
    import torch
    import transformers

    config = transformers.Qwen3Config(
        vocab_size=VOCABULARY, hidden_size=WIDTH, intermediate_size=HIDDEN, num_hidden_layers=LAYERS,
        num_attention_heads=HEADS, num_key_value_heads=KV_HEADS, head_dim=HEAD_WIDTH, rms_norm_eps=EPSILON,
        max_position_embeddings=CONTEXT, rope_theta=ROPE_BASE, tie_word_embeddings=True, bos_token_id=0,
        eos_token_id=VOCABULARY - 1, pad_token_id=VOCABULARY - 1)
    torch.manual_seed(0)
    transformers.Qwen3ForCausalLM(config).to(torch.bfloat16).save_pretrained(folder)
    words = tokenizers.Tokenizer(tokenizers.models.WordLevel({"a": 0}, unk_token="a"))
    transformers.PreTrainedTokenizerFast(tokenizer_object=words).save_pretrained(folder)


def write_genai(folder):
    with tempfile.TemporaryDirectory() as work:
        write_transformers_model(f"{work}/model")
        subprocess.run(
            [sys.executable, "-m", "onnxruntime_genai.models.builder", "-i", f"{work}/model", "-o", folder, "-c",
             f"{work}/cache", "-p", "int4", "-e", "cpu", "--extra_options", "accuracy_level=4", "block_size=32",
             "prune_lm_head=true", "shared_embeddings=true", "hf_token=false"],
            check=True)


def main():
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", help="made when it is not there")
    folder = parser.parse_args().folder
    os.makedirs(folder, exist_ok=True)
    write_gguf(f"{folder}/qwen3.gguf")
    write_genai(f"{folder}/genai")


if __name__ == "__main__":
    main()
