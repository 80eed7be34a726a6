"""Chat templates: conversations as the text that a model was trained on."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from onepack.errors import InvalidArgumentError, InvalidFileError
from onepack.text._imports import import_for_text

Message = Mapping[str, Any]
"""{"role": "user", "content": "Hello"}; what else the template asks for."""


class ChatTemplate:
    """A template as tokenizer_config.json has it, in the sandbox of jinja2: it comes with a model from
    wherever that comes from, and sees the messages and nothing else. Nothing limits how long it runs.

    Threads: any.

    Raises:
        InvalidFileError: It is no template.
        ImportError: jinja2 is not installed.
    """

    def __init__(self, source: str, named_tokens: Mapping[str, str]) -> None:
        sandbox = import_for_text("jinja2.sandbox")
        self._jinja2 = import_for_text("jinja2")
        environment = sandbox.ImmutableSandboxedEnvironment(
            trim_blocks=True, lstrip_blocks=True, extensions=["jinja2.ext.loopcontrols"]
        )
        environment.filters["tojson"] = _to_json
        environment.globals["raise_exception"] = self._refuse
        environment.globals["strftime_now"] = lambda form: datetime.now().strftime(form)
        self._named_tokens = dict(named_tokens)
        try:
            self._template = environment.from_string(source)
        except self._jinja2.TemplateError as error:
            raise InvalidFileError(f"chat template: {error}") from error

    def render(
        self,
        messages: Sequence[Message],
        *,
        add_generation_prompt: bool = True,
        **variables: Any,
    ) -> str:
        """The conversation as text; with ``add_generation_prompt`` up to where the model answers.

        ``variables``: what else the template knows, such as ``tools`` or ``enable_thinking``.
        InvalidArgumentError: the template refuses the messages, and says why.
        """
        try:
            text = self._template.render(
                **{**self._named_tokens, **variables},
                messages=messages,
                add_generation_prompt=add_generation_prompt,
            )
        except (self._jinja2.TemplateError, TypeError) as error:
            raise InvalidArgumentError(f"chat template: {error}") from error
        return str(text)

    def _refuse(self, message: str) -> None:
        raise self._jinja2.TemplateError(message)


def _to_json(value: Any, **options: Any) -> str:
    # jinja2's own escapes for HTML, and these templates are no HTML.
    return json.dumps(value, ensure_ascii=False, **options)
