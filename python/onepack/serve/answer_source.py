"""Where answers come from, as the routes see it: the engine of this process, or models elsewhere."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Protocol, TypeVar

from onepack.serve.answer import Event
from onepack.serve.protocol.requests import ChatRequest, CompletionRequest

Asked = ChatRequest | CompletionRequest


class ListedModel(Protocol):
    """What clients are told of a model."""

    @property
    def name(self) -> str: ...

    @property
    def created(self) -> int:
        """Seconds since 1970."""


class BegunAnswer(Protocol):
    """An answer that goes to one client. It may not run yet."""

    @property
    def headers(self) -> Mapping[str, str]:
        """What the response says of it besides."""

    def events(self) -> AsyncIterator[Event]:
        """Pieces of text, and the End of an answer that ended well. Read once.

        Raises:
            ApiError: It did not end well.
        """

    def cancel(self) -> None:
        """From any thread, and also when it has ended."""


Model = TypeVar("Model", bound=ListedModel)


class AnswerSource(Protocol[Model]):
    """Threads: belongs to the event loop's."""

    def all(self) -> Sequence[Model]:
        """In the order in which they are listed."""

    def find(self, name: str) -> Model:
        """NotFoundError: there is none."""

    async def begin(self, model: Model, asked: Asked) -> BegunAnswer:
        """Has ``model`` answer. A stream that has begun has no status any more: what can be refused is
        refused here.

        Nobody watches the client meanwhile. Where this waits for long, the server has to cancel requests
        whose clients have gone, as Ray Serve does and uvicorn does not.

        Raises:
            ApiError: It is refused.
        """
