"""Options that lead to a cluster, shared by the commands of `reenact pipelines`."""

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from reenact.cli.person import TRAINER, name_trainer

if TYPE_CHECKING:
    from reenact.cluster.api import Api
    from reenact.params import Params

Pipeline = Annotated[str, typer.Option("--pipeline", help="training, ablation or refresh.")]
Host = Annotated[str, typer.Option("--host", help="Of the API; default: cluster.host, then KF_PIPELINES_ENDPOINT.")]
Namespace = Annotated[str, typer.Option("--namespace", help="Default: cluster.namespace.")]
Token = Annotated[
    str, typer.Option("--token", help="Others on this machine can see it here; not so in KF_PIPELINES_TOKEN.")
]
TokenFile = Annotated[Path | None, typer.Option("--token-file", help="Read for each request, so it may be renewed.")]
CaFile = Annotated[Path | None, typer.Option("--ca-file", help="Certificates (PEM) to trust beside the system's.")]
Account = Annotated[str, typer.Option("--service-account", help="Of the pods; default: cluster.service_account.")]
Experiment = Annotated[str, typer.Option("--experiment", help="Made where it is missing; default: cluster.experiment.")]


def sender() -> str:
    """Who sends a run, as trainings will name them: REENACT_TRAINER, else git's user.name; "" where neither says."""
    environment = dict(os.environ)
    name_trainer(environment)
    return environment[TRAINER]


@dataclass(frozen=True)
class Place:
    """Where to send things, as given on the command line."""

    host: str
    namespace: str
    token: str
    token_file: Path | None
    ca_file: Path | None

    def changes(self, service_account: str, experiment: str) -> list[str]:
        """The options that are settings of the block `cluster`, as -S has them; they come after -S, and win."""
        given = {
            "host": self.host,
            "namespace": self.namespace,
            "service_account": service_account,
            "experiment": experiment,
        }
        return [f"cluster.{key}={json.dumps(value)}" for key, value in given.items() if value]

    def api(self, params: "Params") -> "Api":
        """The API at that place; nothing is asked yet. Raises SettingsError or StorageError."""
        from reenact.cluster.api import Api
        from reenact.cluster.connection import Connection
        from reenact.cluster.credentials import find_access
        from reenact.cluster.settings import cluster_settings

        cluster = cluster_settings(params)
        access = find_access(host=cluster.host, token=self.token, token_file=self.token_file, ca_file=self.ca_file)
        return Api(Connection(access), namespace=cluster.namespace)
