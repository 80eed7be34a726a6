"""Fields of OpenAI's API that are not supported, and the values of them that ask for nothing."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from typing import Any

from onepack.serve.protocol.errors import invalid, unsupported

# A value that leaves the answer as it is may be sent, because many clients send all their defaults. Any
# other one is refused: an answer without what was asked for would look like one with it.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "audio": (),
    "best_of": (1,),
    "echo": (False,),
    "frequency_penalty": (0, 0.0),
    "function_call": ("none",),
    "functions": ([],),
    "logit_bias": ({},),
    "logprobs": (False,),
    "modalities": (["text"],),
    "moderation": (),
    "n": (1,),
    "parallel_tool_calls": (True, False),
    "prediction": (),
    "presence_penalty": (0, 0.0),
    "reasoning_effort": ("none",),
    "response_format": ({"type": "text"},),
    "service_tier": ("auto", "default"),
    "store": (False,),
    "suffix": ("",),
    "tool_choice": ("none", "auto"),
    "tools": ([],),
    "top_logprobs": (0,),
    "verbosity": (),
    "web_search_options": (),
}
# These say who asks, or where an answer may be kept, and never what it is.
_WITHOUT_EFFECT = frozenset(
    {"metadata", "prompt_cache_key", "prompt_cache_retention", "safety_identifier", "user"}
)


def supported_fields(body: Mapping[str, Any], known: Collection[str]) -> dict[str, Any]:
    """Of ``body``, what is ``known`` and given: null is as good as nothing.

    Raises:
        ApiError: A field that is not supported, or that there is not.
    """
    given = {name: value for name, value in body.items() if value is not None}
    for name, value in given.items():
        if name not in known and name not in _WITHOUT_EFFECT:
            _check_asks_for_nothing(name, value)
    return {name: value for name, value in given.items() if name in known}


def _check_asks_for_nothing(name: str, value: Any) -> None:
    if name not in _NEUTRAL:
        raise invalid(f"Unknown field: {name!r}", name, "unknown_parameter")
    if not any(_is_same(value, neutral) for neutral in _NEUTRAL[name]):
        raise unsupported(name)


def _is_same(value: Any, neutral: Any) -> bool:
    # To Python True is 1, and to a client it is not.
    return type(value) is type(neutral) and bool(value == neutral)
