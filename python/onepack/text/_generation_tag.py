"""{% generation %}, which marks answers for training: here its content is what it is without it."""

from __future__ import annotations

from jinja2 import nodes
from jinja2.ext import Extension
from jinja2.parser import Parser


class GenerationTag(Extension):
    tags = {"generation"}  # noqa: RUF012  (as jinja2 declares it)

    def parse(self, parser: Parser) -> list[nodes.Node]:
        next(parser.stream)  # the tag's own name
        return parser.parse_statements(("name:endgeneration",), drop_needle=True)
