"""The application: HTTP in front of replicas of the models. ``serve run config.yaml`` starts it."""

from __future__ import annotations

from typing import Any

from ray import serve
from ray.serve import Application
from ray.serve.handle import DeploymentHandle
from starlette.applications import Starlette

from onepack.serve import create_openai_app
from ray_serve.options import Options
from ray_serve.replica import Models
from ray_serve.replica_source import ReplicaSource


@serve.ingress()
class Api:
    """A deployment: OpenAI's endpoints, those of ``python -m onepack serve``."""

    def __init__(self, models: DeploymentHandle[Any], options: Options) -> None:
        self._source = ReplicaSource(models, options.base_name, options.adapters)
        self._options = options

    def __serve_build_asgi_app__(self) -> Starlette:
        hosts = self._options.allowed_hosts
        return create_openai_app(self._source, api_key=self._options.api_key(), allowed_hosts=hosts)


def build(args: dict[str, Any]) -> Application:
    """``args`` are Options. What config.yaml says of the deployments replaces what is said here."""
    options = Options.model_validate(args)
    models = serve.deployment(max_ongoing_requests=16, max_queued_requests=64)(Models)
    api = serve.deployment(max_ongoing_requests=1000)(Api)
    application: Application = api.bind(models.bind(options), options)
    return application
