"""Chat templates that fail, and what those of others expect."""

from __future__ import annotations

import pytest

from onepack import InvalidArgumentError, InvalidFileError
from onepack.text import ChatTemplate


@pytest.mark.parametrize(
    "source",
    [
        "{{ 1 / 0 }}",
        "{% for i in range(10**9) %}{% endfor %}",
        "{{ 'a'.encode('no such codec') }}",
        "{% macro again() %}{{ again() }}{% endmacro %}{{ again() }}",
        "{{ 'a'.encode('utf-8').decode('utf-16') }}",
    ],
)
def test_a_template_that_fails_is_an_invalid_argument(source: str) -> None:
    template = ChatTemplate(source, {})
    with pytest.raises(InvalidArgumentError, match="chat template: "):
        template.render([])


def test_a_template_that_is_nested_too_deeply_is_an_invalid_file() -> None:
    with pytest.raises(InvalidFileError, match="RecursionError"):
        ChatTemplate("{{ " + "(" * 10**4 + "1" + ")" * 10**4 + " }}", {})


def test_a_generation_block_is_its_content() -> None:
    source = "a{% generation %}{{ messages[0].content }}{% endgeneration %}z"
    assert ChatTemplate(source, {}).render([{"content": "b"}]) == "abz"


def test_tools_and_documents_are_none_unless_given() -> None:
    template = ChatTemplate("{{ tools is none }} {{ documents is none }}", {})
    assert template.render([]) == "True True"
    assert template.render([], tools=[], documents=[]) == "False False"
