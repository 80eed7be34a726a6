"""Requests, verified."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    BaseModel,
    BeforeValidator,
    ConfigDict,
    FailFast,
    Field,
    ValidationError,
    model_validator,
)
from pydantic_core import PydanticCustomError

from onepack.serve.protocol.errors import ApiError, invalid
from onepack.serve.protocol.fields import supported_fields

_MOST_STOPS = 16
_LONGEST_STOP = 1024
_LEAST_TOP_P = 2.0**-126  # of the sampler's float32, which rounds much smaller ones to 0
_MOST_MESSAGES = 4096
_MOST_FIELDS = 64
_MOST_FILES = 64


def _wrong(message: str) -> PydanticCustomError:
    return PydanticCustomError("request", "{message}", {"message": message})


def _stops(value: Any) -> Any:
    stops = [value] if isinstance(value, str) else value
    if not isinstance(stops, list) or not all(isinstance(stop, str) for stop in stops):
        raise _wrong("a string or a list of strings is expected")
    if len(stops) > _MOST_STOPS or any(not 0 < len(stop) <= _LONGEST_STOP for stop in stops):
        raise _wrong(
            f"at most {_MOST_STOPS} strings are expected, of 1 to {_LONGEST_STOP} characters"
        )
    return stops


def _text(value: Any) -> Any:
    """Of a message: a string, or parts of which each is text."""
    if not isinstance(value, list):
        return value
    return "".join(map(_text_of_part, value))


def _text_of_part(part: Any) -> str:
    if not isinstance(part, dict) or part.get("type") != "text":
        raise _wrong("only parts of the type 'text' are supported")
    text = part.get("text")
    if not isinstance(text, str):
        raise _wrong("a part of the type 'text' has a string 'text'")
    return text


def _prompt(value: Any) -> Any:
    """One prompt, also as the only one of a list."""
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], (str, list)):
        value = value[0]
    if isinstance(value, str):
        return value
    if isinstance(value, list) and value and all(type(token) is int for token in value):
        return value
    raise _wrong("one prompt is expected: a string, or a list of tokens")


def _at_most(count: int) -> BeforeValidator:
    def check(value: Any) -> Any:
        if isinstance(value, list) and len(value) > count:
            raise _wrong(f"at most {count} are expected")
        return value

    return BeforeValidator(check)


class _Fields(BaseModel):
    """Every error that pydantic collects costs hundreds of bytes and microseconds, for a few bytes of a
    body: so what may have many is bounded, and ends at its first one."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)

    @model_validator(mode="before")
    @classmethod
    def _check_size(cls, value: Any) -> Any:
        if isinstance(value, dict) and len(value) > _MOST_FIELDS:
            raise _wrong(f"at most {_MOST_FIELDS} fields are expected")
        return value


class StreamOptions(_Fields):
    include_usage: bool = False
    include_obfuscation: Literal[False] = False


class AnswerFields(_Fields):
    """What requests for a chat and for a text have in common."""

    model: str
    stream: bool = False
    stream_options: StreamOptions | None = None
    max_tokens: Annotated[int, Field(ge=1)] | None = None
    temperature: Annotated[float, Field(ge=0, le=2)] = 1.0
    top_p: Annotated[float, Field(ge=_LEAST_TOP_P, le=1)] = 1.0
    seed: Annotated[int, Field(ge=-(2**63), lt=2**64)] | None = None
    stop: Annotated[list[str], BeforeValidator(_stops)] = []
    # Not of OpenAI's API; named as vLLM names them.
    top_k: Annotated[int, Field(ge=0, lt=2**31)] = 0
    ignore_eos: bool = False

    @property
    def most_tokens(self) -> int | None:
        """None: as many as there is room for."""
        return self.max_tokens

    @property
    def wants_usage(self) -> bool:
        """As an event of a stream."""
        return self.stream_options is not None and self.stream_options.include_usage


class ChatMessage(_Fields):
    role: Literal["system", "developer", "user", "assistant"]
    content: Annotated[str, BeforeValidator(_text)]
    name: str | None = None

    def for_template(self) -> dict[str, str]:
        """OpenAI's newer name of the role "system" is one that few templates know."""
        role = "system" if self.role == "developer" else self.role
        message = {"role": role, "content": self.content}
        return message if self.name is None else {**message, "name": self.name}


class ChatRequest(AnswerFields):
    messages: Annotated[
        list[ChatMessage], Field(min_length=1), FailFast(), _at_most(_MOST_MESSAGES)
    ]
    max_completion_tokens: Annotated[int, Field(ge=1)] | None = None

    @property
    def most_tokens(self) -> int | None:
        """``max_tokens`` is the older name."""
        given = [most for most in (self.max_completion_tokens, self.max_tokens) if most is not None]
        return min(given, default=None)


class CompletionRequest(AnswerFields):
    prompt: Annotated[str | list[int], BeforeValidator(_prompt)]
    max_tokens: Annotated[int, Field(ge=1)] | None = 16  # as OpenAI's


class AdapterRequest(_Fields):
    """An adapter to add; paths are of files in the server's folder for adapters."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._:/-]{0,127}$")]
    program: Annotated[str, Field(min_length=1)]
    data: Annotated[
        list[str],
        FailFast(),
        _at_most(_MOST_FILES),
        BeforeValidator(lambda v: [v] if isinstance(v, str) else v),
    ] = []


_Request = TypeVar("_Request", bound=_Fields)


def parse(kind: type[_Request], body: Mapping[str, Any]) -> _Request:
    """``body`` as a request of that kind.

    Raises:
        ApiError: It is none; or it asks for what is not supported.
    """
    fields = supported_fields(body, kind.model_fields.keys())
    if isinstance(messages := fields.get("messages"), list):
        fields["messages"] = [_without_nulls(message) for message in messages]
    if "stream_options" in fields:
        fields["stream_options"] = _without_nulls(fields["stream_options"])
    try:
        request = kind.model_validate(fields)
    except ValidationError as error:
        raise _invalid_of(error) from error
    if isinstance(request, AnswerFields) and request.stream_options and not request.stream:
        raise invalid("'stream_options' is for streams", "stream_options")
    return request


def _without_nulls(value: Any) -> Any:
    """A message that a client got from here, and sends back as part of the conversation, has some."""
    if not isinstance(value, dict):
        return value
    return {name: field for name, field in value.items() if field is not None}


def _invalid_of(error: ValidationError) -> ApiError:
    first = error.errors(include_url=False, include_context=False, include_input=False)[0]
    place = ".".join(map(str, first["loc"]))
    if first["type"] == "missing":
        return invalid(f"{place!r} is missing", place, "missing_required_parameter")
    if first["type"] == "extra_forbidden":
        return invalid(f"{place!r} is not supported by this server", place, "unsupported_parameter")
    return invalid(f"{place!r}: {first['msg']}", place, "invalid_value")
