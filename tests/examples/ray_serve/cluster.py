"""A cluster of this machine alone with the application of examples/ray_serve on it, as ``serve run`` starts it."""

from __future__ import annotations

import contextlib
import os
import secrets
import shutil
import socket
import subprocess
import sys
import tempfile
import urllib.error
import urllib.request
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

# Read when ray is imported, here and in every process of the cluster. Nothing is reported to anybody, no token is
# written to the home folder, and replicas are no nicer than other processes: on a busy machine they would stand still.
os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
os.environ["RAY_AUTH_TOKEN"] = secrets.token_hex(32)
os.environ["RAY_worker_niceness"] = "0"

import openai
import ray
import yaml
from ray import serve
from ray.exceptions import RayActorError
from ray.serve.handle import DeploymentHandle
from ray_serve.options import Options
from ray_serve.replica import Models, ReplicaStats
from serving import until

CONFIG = Path(__file__).resolve().parents[3] / "examples/ray_serve/config.yaml"
ADAPTERS = ("lora0", "lora1", "lora2", "lora3")
REPLICAS = 2
ONGOING = 6
"""Requests that a replica has at a time: one runs, the others wait in it."""
QUEUED = 4
"""Requests that wait for a replica."""


@dataclass(frozen=True)
class Cluster:
    url: str
    folder: Path
    """Of the models."""

    def client(self) -> openai.OpenAI:
        return openai.OpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0)

    def async_client(self) -> openai.AsyncOpenAI:
        return openai.AsyncOpenAI(base_url=f"{self.url}/v1", api_key="none", max_retries=0)

    def stats(self) -> dict[str, ReplicaStats]:
        """Of each replica by its name. Waits where one has as many requests as it may."""
        models = serve.get_deployment_handle("Models", "onepack")
        return {stats.name: stats for stats in models.broadcast("stats").results(timeout_s=60)}

    def busy(self) -> int:
        """Requests that replicas have."""
        return sum(stats.running + stats.waiting for stats in self.stats().values())

    @contextlib.contextmanager
    def one_replica(self, **options: Any) -> Iterator[DeploymentHandle[Any]]:
        """Another one, alone and without HTTP, with other ``options``.

        Raises:
            RuntimeError: It could not be started; the message is what Ray says of the deployment.
        """
        (application,) = yaml.safe_load((self.folder / "config.yaml").read_text())["applications"]
        asked = Options.model_validate({**application["args"], **options})
        deployment = serve.deployment(
            ray_actor_options={"num_cpus": 0}, max_constructor_retry_count=1
        )
        try:
            yield _run(deployment(Models).bind(asked), "one replica")
        finally:
            serve.delete("one replica")

    def is_whole(self) -> bool:
        """Whether all replicas are there, and nobody waits for them."""
        models = serve.status().applications["onepack"].deployments["Models"]
        try:
            return models.status == "HEALTHY" and len(self.stats()) == REPLICAS
        except RayActorError:  # one that has just died is asked, too
            return False


@contextlib.contextmanager
def running(folder: Path) -> Iterator[Cluster]:
    # The name is part of those of sockets, which have to be short.
    temporary = tempfile.mkdtemp(prefix="ray", dir="/tmp")
    try:
        ray.init(
            num_cpus=REPLICAS,
            include_dashboard=False,
            log_to_driver=False,
            object_store_memory=100 << 20,
            namespace="serve",
            _temp_dir=temporary,
        )
        port = _free_port()
        _serve(write_config(folder, port))
        cluster = Cluster(f"http://127.0.0.1:{port}", folder)
        until(lambda: _is_served(cluster.url), 150)
        yield cluster
    finally:
        ray.shutdown()  # with all that runs in it
        shutil.rmtree(temporary, ignore_errors=True)


def write_config(folder: Path, port: int) -> Path:
    """That of the example, with other files and smaller limits."""
    config: Any = yaml.safe_load(CONFIG.read_text())
    config["http_options"]["port"] = port
    (application,) = config["applications"]
    application["args"] |= {
        "program": str(folder / "base.pte"),
        "data": [str(folder / "foundation.ptd")],
        "tokenizer": str(folder),
        "adapters": {
            name: {"program": str(folder / f"{name}.pte"), "data": [str(folder / f"{name}.ptd")]}
            for name in ADAPTERS
        },
    }
    models = next(found for found in application["deployments"] if found["name"] == "Models")
    assert models["num_replicas"] == REPLICAS
    models |= {"max_ongoing_requests": ONGOING, "max_queued_requests": QUEUED}
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(config))
    return path


def _serve(config: Path) -> None:
    command = [str(Path(sys.executable).parent / "serve"), "run", "--non-blocking", "--address"]
    command += [ray.get_runtime_context().gcs_address, "--app-dir", str(CONFIG.parents[1])]
    done = subprocess.run([*command, str(config)], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout + done.stderr


def _run(application: serve.Application, name: str) -> DeploymentHandle[Any]:
    try:
        return serve.run(application, name=name, route_prefix=None)
    except RuntimeError as error:  # which says that a deployment has failed, and not why
        deployments = serve.status().applications[name].deployments.values()
        raise RuntimeError(*(deployment.message for deployment in deployments)) from error


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def _is_served(url: str) -> bool:
    application = serve.status().applications["onepack"]
    assert application.status != "DEPLOY_FAILED", application.message
    try:
        return bool(urllib.request.urlopen(f"{url}/health").status == 200)
    except (urllib.error.URLError, ConnectionError):
        return False
