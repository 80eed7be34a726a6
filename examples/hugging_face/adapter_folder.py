"""A folder with a LoRA adapter as PEFT saves it, read for the exporter."""

import dataclasses
import json
import math
from pathlib import Path
from typing import NoReturn

import peft
from executorch.extension.llm.export.config.llm_config import LoraConfig
from peft import LoraConfig as PeftConfig
from safetensors.torch import load_file

# Settings that are taken, or matter in training only, or show in the weights, which are checked.
# PEFT gets more settings with time: one that is not named here must have its default.
KNOWN_SETTINGS = {
    *("r", "lora_alpha", "use_rslora", "target_modules", "exclude_modules"),
    *("layers_to_transform", "layers_pattern", "rank_pattern", "lora_dropout"),
    *("task_type", "peft_type", "auto_mapping", "peft_version", "inference_mode"),
    *("base_model_name_or_path", "revision", "megatron_core", "runtime_config", "eva_config"),
    "init_lora_weights",
}

# How an adapter began matters where the base was changed with it.
KNOWN_STARTS = (True, False, "gaussian", "eva", "orthogonal")


class AdapterFolder:
    def __init__(self, folder: Path):
        folder = folder.resolve()
        self.config_file = folder / "adapter_config.json"
        self.weights_file = folder / "adapter_model.safetensors"
        for file in (self.config_file, self.weights_file):
            if not file.is_file():
                raise SystemExit(f"{file}: no such file")
        self._check_keys()
        self.config = PeftConfig.from_pretrained(str(folder), local_files_only=True)
        self._check_settings()

    def lora_config(self, layers: int) -> LoraConfig:
        """For a base model of so many layers."""
        rank, alpha = self.config.r, self.config.lora_alpha
        if self.config.use_rslora:  # alpha / sqrt(rank); the exporter's model has alpha / rank
            alpha *= math.sqrt(rank)
        return LoraConfig(
            adapter_checkpoint=str(self.weights_file),
            lora_rank=rank,
            lora_alpha=alpha,
            target_modules=self._target_modules(layers),
        )

    def _check_keys(self) -> None:
        """In the file itself, for PEFT leaves out what it does not know, such as a newer scaling."""
        try:
            settings = json.loads(self.config_file.read_text())
        except ValueError as error:
            raise SystemExit(f"{self.config_file}: not JSON: {error}") from None
        if not isinstance(settings, dict):
            raise SystemExit(f"{self.config_file}: an object expected")
        kind = settings.get("peft_type")
        if kind != "LORA":
            refuse(self.config_file, "peft_type", f"is {kind!r}, 'LORA' expected")
        known = KNOWN_SETTINGS | {field.name for field in dataclasses.fields(PeftConfig)}
        for key in sorted(settings.keys() - known):
            refuse(self.config_file, key, f"is not a setting of LoRA in PEFT {peft.__version__}")

    def _check_settings(self) -> None:
        defaults = PeftConfig()
        for field in dataclasses.fields(self.config):
            found = getattr(self.config, field.name)
            expected = getattr(defaults, field.name)
            if field.name not in KNOWN_SETTINGS and found != expected:
                refuse(self.config_file, field.name, f"is {found!r}, {expected!r} expected")
        start = self.config.init_lora_weights
        if start not in KNOWN_STARTS:
            refuse(self.config_file, "init_lora_weights", f"is {start!r}: the base was another one")

    def _target_modules(self, layers: int) -> list[str]:
        """Which linears are adapted.

        The exporter's model adapts a linear in all layers, with one rank, or not at all.
        """
        weights = load_file(self.weights_file)
        modules = sorted({".".join(key.split(".")[5:-2]) for key in weights})
        expected = {
            f"base_model.model.model.layers.{layer}.{module}.lora_{half}.weight": half
            for layer in range(layers)
            for module in modules
            for half in "AB"
        }
        for key in sorted(expected.keys() ^ weights.keys()):
            refuse(self.weights_file, key, "is missing" if key in expected else "is not supported")
        for key, half in expected.items():
            rank = weights[key].shape[0 if half == "A" else 1]
            if rank != self.config.r:
                refuse(self.weights_file, key, f"has rank {rank}, {self.config.r} expected")
        return [module.split(".")[-1] for module in modules]


def refuse(file: Path, what: str, why: str) -> NoReturn:
    raise SystemExit(f"{file}: '{what}' {why}")
