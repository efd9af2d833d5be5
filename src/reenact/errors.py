"""Errors for people: what was wrong, in which file or setting, what to do. Each kind has its exit code."""


class ReenactError(Exception):
    """Anything a person can act on; the message is one sentence or two."""

    exit_code = 1


class SettingsError(ReenactError):
    """A setting is unknown, of the wrong type or out of range."""

    exit_code = 2


class BadInput(ReenactError):
    """Material that can't be used: the clip, not the run, is at fault (`reason` goes to the quarantine table)."""

    exit_code = 3


class ValidationFailed(ReenactError):
    """A critical data check failed; the run stops before anything is trained on bad data."""

    exit_code = 4


class TrainingFailed(ReenactError):
    """Training found itself sick: not finite, an alarm."""

    exit_code = 5


class StorageError(ReenactError):
    """Disk full, folder not writable, object store or MLflow out of reach."""

    exit_code = 6


class NewerFormat(ReenactError):
    """A file was written by a newer version of this project."""

    exit_code = 7


class BranchesMissing(ReenactError):
    """The comparison was written, but some branches are missing or failed."""

    exit_code = 8


class DecisionRefused(ReenactError):
    """A rule of the review stands against a decision about a model; nothing was changed."""

    exit_code = 9


class Overtaken(ReenactError):
    """Somebody else decided at the same moment; nothing was changed."""

    exit_code = 10


class ApiRefused(ReenactError):
    """The Kubeflow Pipelines API refused a request: not signed in, not allowed, unknown, or not valid."""

    exit_code = 12

    def __init__(self, message: str, *, status: int = 0) -> None:
        super().__init__(message)
        self.status = status  # HTTP's, 0 where the answer was no answer of the API


class PipelineFailed(ReenactError):
    """A pipeline's run on a cluster ended without success."""

    exit_code = 13


class DoctorFound(ReenactError):
    """`reenact doctor` found something that steps of the pipeline would stumble over."""

    exit_code = 14


class ProcessLost(ReenactError):
    """Of processes that train together one ended before the work was done: killed, out of memory, its machine gone."""

    exit_code = 15
