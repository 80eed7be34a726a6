"""The model and its adapters, untrained."""

from __future__ import annotations

import peft
import torch
import transformers

CONTEXT = 128
LORA_RANK = 8


def make_base(vocabulary: int, eos_id: int) -> transformers.Qwen3ForCausalLM:
    torch.manual_seed(1)
    return transformers.Qwen3ForCausalLM(
        transformers.Qwen3Config(
            vocab_size=vocabulary,
            hidden_size=128,
            intermediate_size=192,
            num_hidden_layers=3,
            num_attention_heads=4,
            num_key_value_heads=2,
            head_dim=32,
            max_position_embeddings=CONTEXT,
            tie_word_embeddings=True,
            bos_token_id=None,
            eos_token_id=eos_id,
        )
    )


def with_adapter(base: transformers.Qwen3ForCausalLM) -> peft.PeftModel:
    """Its weights alone are trained. `base` is the model's own from here on."""
    torch.manual_seed(2)
    config = peft.LoraConfig(
        r=LORA_RANK,
        lora_alpha=2 * LORA_RANK,
        target_modules=[
            "q_proj",
            "k_proj",
            "v_proj",
            "o_proj",
            "gate_proj",
            "up_proj",
            "down_proj",
        ],
        task_type="CAUSAL_LM",
    )
    return peft.get_peft_model(base, config)
