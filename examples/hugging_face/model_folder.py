"""A folder with a Qwen3 model as Hugging Face's transformers saves it, read for the exporter."""

import shutil
from pathlib import Path

import torch
from executorch.examples.models.qwen3.convert_weights import (
    load_checkpoint_from_safetensors,
    qwen_3_tune_to_meta,
)
from transformers import GenerationConfig, Qwen3Config

TOKENIZER_FILES = (
    "tokenizer.json",
    "tokenizer.model",
    "tokenizer_config.json",
    "chat_template.jinja",
)

# With other values the exporter's model would compute something else, and say nothing.
EXPECTED_CONFIG: dict[str, object] = {
    "architectures": ["Qwen3ForCausalLM"],
    "hidden_act": "silu",
    "attention_bias": False,
    "use_sliding_window": False,
    "quantization_config": None,
}


class ModelFolder:
    def __init__(self, folder: Path):
        self.folder = folder = folder.resolve()
        config_file = folder / "config.json"
        if not config_file.is_file():
            raise SystemExit(f"{config_file}: no such file")
        self.config = Qwen3Config.from_pretrained(folder, local_files_only=True)
        found = {name: getattr(self.config, name, None) for name in EXPECTED_CONFIG}
        self.rope = dict(self.config.rope_parameters or {})
        found["rope_type"] = self.rope.get("rope_type")
        for name, expected in (EXPECTED_CONFIG | {"rope_type": "default"}).items():
            if found[name] != expected:
                message = f"'{name}' is {found[name]!r}, {expected!r} expected"
                raise SystemExit(f"{config_file}: {message}")

    def architecture(self) -> dict[str, object]:
        """The arguments of the exporter's model, its `ModelArgs`."""
        config = self.config
        return {
            "dim": config.hidden_size,
            "hidden_dim": config.intermediate_size,
            "n_layers": config.num_hidden_layers,
            "n_heads": config.num_attention_heads,
            "n_kv_heads": config.num_key_value_heads,
            "head_dim": config.head_dim,
            "norm_eps": config.rms_norm_eps,
            "vocab_size": config.vocab_size,
            "rope_theta": self.rope["rope_theta"],
            "use_hf_rope": True,
            "use_qk_norm": True,
            "qk_norm_before_rope": True,
        }

    def weights(self) -> dict[str, torch.Tensor]:
        """In float32, by the names of the exporter's model. A tied head is the embedding."""
        weights = load_checkpoint_from_safetensors(str(self.folder))
        if self.config.tie_word_embeddings:
            weights.pop("lm_head.weight", None)  # the next line puts the embedding there
        floats = {name: weight.float() for name, weight in weights.items()}
        named: dict[str, torch.Tensor] = qwen_3_tune_to_meta(floats)
        return named

    def eos_ids(self) -> list[int]:
        """The tokens that end an answer."""
        ids = self.config.eos_token_id
        if (self.folder / "generation_config.json").is_file():
            ids = GenerationConfig.from_pretrained(self.folder, local_files_only=True).eos_token_id
        if ids is None:
            return []
        return ids if isinstance(ids, list) else [ids]

    def copy_tokenizer(self, folder: Path) -> None:
        for name in TOKENIZER_FILES:
            if (self.folder / name).is_file():
                shutil.copy(self.folder / name, folder)
