"""Chat templates: conversations as the text that a model was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from onepack.errors import InvalidArgumentError, InvalidFileError
from onepack.text._imports import import_for_text

Message = Mapping[str, Any]
"""{"role": "user", "content": "Hello"}, with any other key that the template uses."""


class ChatTemplate:
    """A chat template, as in tokenizer_config.json, that runs in the sandbox of jinja2. Templates are
    downloaded with models and are not trusted: they see only the messages and the variables that are
    passed. The time and the memory that they use are not limited.

    Threads: any.

    Raises:
        InvalidFileError: The source is not a valid template.
        ImportError: jinja2 is not installed.
    """

    def __init__(self, source: str, named_tokens: Mapping[str, str]) -> None:
        sandbox = import_for_text("jinja2.sandbox")
        self._jinja2 = import_for_text("jinja2")
        from onepack.text._generation_tag import GenerationTag

        environment = sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True,
            lstrip_blocks=True,
            extensions=["jinja2.ext.loopcontrols", GenerationTag],
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = self._refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self._named_tokens = dict(named_tokens)
        try:
            self._template = environment.from_string(source)
        except Exception as error:  # RecursionError, too, where it is nested too deeply
            raise InvalidFileError(self._describe(error)) from error

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> str:
        """The conversation as text; with ``add_generation_prompt`` up to where the model answers.

        ``variables``: what else the template knows, such as ``tools`` or ``enable_thinking``. ``tools``
        and ``documents`` are None unless given, as with Hugging Face's libraries.
        InvalidArgumentError: the template refuses the messages or fails with them, and says why.
        """
        try:
            text = self._template.render(
                **{"tools": None, "documents": None, **self._named_tokens, **variables},
                messages=messages,
                add_generation_prompt=add_generation_prompt,
            )
        except Exception as error:  # a template computes, and may fail as any program does
            raise InvalidArgumentError(self._describe(error)) from error
        return str(text)

    def _describe(self, error: Exception) -> str:
        if isinstance(error, self._jinja2.TemplateError):
            return f"chat template: {error}"
        return f"chat template: {type(error).__name__}: {error}"

    def _refuse(self, message: str) -> None:
        raise self._jinja2.TemplateError(message)


def _to_json(value: Any, **options: Any) -> str:
    # jinja2's own filter escapes for HTML, and these templates do not make HTML.
    return json.dumps(value, ensure_ascii=False, **options)
