"""What the base and the adapters are trained on, and the training."""

from __future__ import annotations

import itertools
import math
import random
from collections.abc import Iterator
from typing import NamedTuple

import sentencepiece
import torch

import data
from notes import TASKS, glossary, prompt_of

BATCH = 32
IGNORED = -100  # the label that the loss of transformers' models leaves out


class Text(NamedTuple):
    tokens: list[int]
    labels: list[int]


class Texts:
    """Notes with their answers, as tokens."""

    def __init__(self, tokenizer: sentencepiece.SentencePieceProcessor) -> None:
        self._tokenizer = tokenizer
        self._glossary = glossary()

    def for_base(self, seed: int) -> Iterator[Text]:
        """Notes with their stories. A quarter of the texts is what else there is to know of the
        language, so that no word is new to an adapter: what adapters answer, without the note that
        it answers, and a glossary."""
        source = random.Random(seed)
        notes = data.training_notes(seed)
        for note, text in zip(notes, self.for_adapter("base", seed), strict=True):
            if source.random() < 0.75:
                yield text
                continue
            texts = [answer(note) for answer in TASKS.values()]
            texts.append(" ".join(source.sample(self._glossary, 3)))
            tokens = self._ended(source.choice(texts))
            yield Text(tokens, tokens)

    def for_adapter(self, task: str, seed: int) -> Iterator[Text]:
        """Notes with their answers, of which the answers are to be learned."""
        for note in data.training_notes(seed):
            prompt, answer = self._tokenizer.encode(prompt_of(note)), self._ended(TASKS[task](note))
            yield Text(prompt + answer, [IGNORED] * len(prompt) + answer)

    def _ended(self, text: str) -> list[int]:
        return [*self._tokenizer.encode(text), self._tokenizer.eos_id()]


def fit(model: torch.nn.Module, texts: Iterator[Text], steps: int, rate: float) -> None:
    """`rate` is reached after a twentieth of the steps, and from there on sinks to 0."""
    trained = [parameter for parameter in model.parameters() if parameter.requires_grad]
    optimizer = torch.optim.AdamW(trained, lr=rate, betas=(0.9, 0.98), weight_decay=0.01)
    warm_up = max(1, steps // 20)
    schedule = torch.optim.lr_scheduler.LambdaLR(
        optimizer,
        lambda step: min((step + 1) / warm_up, 0.5 + 0.5 * math.cos(math.pi * step / steps)),
    )
    model.train()
    for step, (tokens, labels) in enumerate(itertools.islice(_batches(texts), steps), start=1):
        loss = model(input_ids=tokens, labels=labels).loss
        optimizer.zero_grad(set_to_none=True)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(trained, 1.0)
        optimizer.step()
        schedule.step()
        if step % 100 == 0:
            print(f"  step {step} of {steps}: loss {loss.item():.4f}", flush=True)
    model.eval()


def _batches(texts: Iterator[Text]) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """Of texts of about the same length, so that little is filled up."""
    source = random.Random(1)
    while True:
        some = sorted(itertools.islice(texts, 32 * BATCH), key=lambda text: len(text.tokens))
        batches = [some[first : first + BATCH] for first in range(0, len(some), BATCH)]
        source.shuffle(batches)
        yield from map(_filled_up, batches)


def _filled_up(batch: list[Text]) -> tuple[torch.Tensor, torch.Tensor]:
    """At the end, where a causal model does not look."""
    length = max(len(text.tokens) for text in batch)
    tokens = [text.tokens + [0] * (length - len(text.tokens)) for text in batch]
    labels = [text.labels + [IGNORED] * (length - len(text.labels)) for text in batch]
    return torch.tensor(tokens), torch.tensor(labels)
