"""A review put beside the version it is about: page and files with its run, the core as its description.

Every page lies in a folder named by its content, and a tag that is set last says which one counts: whoever is cut off
in between leaves the review that was there before, or none.
"""

import tempfile
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from reenact.atomic import atomic_file
from reenact.errors import BadInput, StorageError
from reenact.hashing import hash_file
from reenact.review.description import describe
from reenact.review.subject import Review, fetch_left
from reenact.tracking.errors import mlflow_errors

if TYPE_CHECKING:
    from mlflow import MlflowClient

PAGE_TAG = "review.page"  # of a version: which artifact of its run is its page
_DIGITS = 16  # of a sha256, enough to notice that a page was changed


def attach(client: "MlflowClient", review: Review, page: Path, *, files: Sequence[Path] = ()) -> str:
    """Attach the page and further files to the challenger's version; returns the artifact's path in its run.

    The description is set to the review in short, below whatever somebody wrote there. Doing it again is harmless.
    Raises StorageError where MLflow is away or did not keep a file whole; an earlier page then stays the one.
    """
    model, version = review.model, review.challenger.version
    name = f"{model}, version {version}"
    with mlflow_errors(name):
        known = client.get_model_version(model, version)
        if not known.run_id:
            raise BadInput(f"{name}: it names no run that its page could be kept with. Register it again.")
        sha256 = hash_file(page)
        folder = f"review/version-{version}/{sha256[:_DIGITS]}"
        for file in (*files, page):
            _upload(client, str(known.run_id), file, folder)
        place = f"{folder}/{page.name}"
        shown = f"artifact {place} of the run {known.run_id}"
        client.update_model_version(model, version, describe(review, page=shown, before=known.description or ""))
        client.set_model_version_tag(model, version, PAGE_TAG, place)
    return place


def fetch_page(client: "MlflowClient", model: str, version: str, out: Path) -> Path:
    """Write the page that was attached to a version to `out`, and return that.

    Raises BadInput for a version without one, or whose page was changed or removed since; StorageError where MLflow is
    away.
    """
    name = f"{model}, version {version}"
    with mlflow_errors(name), tempfile.TemporaryDirectory() as folder:
        known = client.get_model_version(model, version)
        place = known.tags.get(PAGE_TAG, "")
        if not place or not known.run_id:
            raise BadInput(f"{name}: nobody attached a page to it. `reenact gate` makes one for the challenger.")
        found = fetch_left(client, str(known.run_id), place, Path(folder))
        if found is None:
            raise BadInput(f"{name}: its page ({place}) is gone from its run. Run `reenact gate` again.")
        if hash_file(found)[:_DIGITS] != Path(place).parent.name:
            raise BadInput(
                f"{name}: its page ({place}) is not the one that was attached, it was changed since. Run `reenact "
                "gate` again."
            )
        with atomic_file(out) as temporary:
            temporary.write_bytes(found.read_bytes())
    return out


def _upload(client: "MlflowClient", run_id: str, file: Path, folder: str) -> None:
    """Upload a file, and see that the store has all of it."""
    client.log_artifact(run_id, str(file), folder)
    sizes = {item.path: item.file_size for item in client.list_artifacts(run_id, folder)}
    path, size = f"{folder}/{file.name}", file.stat().st_size
    if path not in sizes or sizes[path] not in (size, None):  # not every store knows sizes
        kept = f"{sizes[path]} of {size} bytes" if path in sizes else "nothing"
        raise StorageError(f"{path}: MLflow's store has {kept} of it. Try again.")
