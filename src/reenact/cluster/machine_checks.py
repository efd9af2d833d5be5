"""Checks of the machine itself: code, libraries, GPUs, shared memory, folders."""

import os
import platform
import shutil
import tempfile
from importlib import import_module, metadata
from pathlib import Path

from reenact import __version__
from reenact.atomic import alone_in, atomic_folder
from reenact.cluster.finding import Finding, failed, ok, warning
from reenact.errors import StorageError

# Module and distribution of what a role may hold; a role that doesn't need one doesn't have it.
_LIBRARIES = {
    "numpy": "numpy",
    "pandas": "pandas",
    "pyarrow": "pyarrow",
    "cv2": "opencv-python-headless",
    "kfp": "kfp",
    "boto3": "boto3",
    "dlib": "dlib-bin",
    "great_expectations": "great-expectations",
    "torch": "torch",
    "lightning_fabric": "lightning-fabric",
    "mlflow": "mlflow",
    "dvc": "dvc",
}
_ALWAYS = ("numpy", "pandas", "pyarrow", "cv2")
_CACHES = ("HOME", "XDG_CACHE_HOME", "XDG_CONFIG_HOME", "TORCH_HOME", "MPLCONFIGDIR", "NUMBA_CACHE_DIR")
_GIB = 1 << 30
_ENOUGH_SHARED = 1 * _GIB
_LITTLE_DISK = 10 * _GIB


def check_code() -> Finding:
    """Which Python runs which code, and whether results can be traced to a commit."""
    from reenact.tracking.lineage import read_lineage

    lineage = read_lineage()
    image = os.environ.get("REENACT_IMAGE", "")
    what = f"Python {platform.python_version()}, reenact {__version__}{f', image {image}' if image else ''}"
    if not lineage.git_commit:
        return warning(
            "code", f"{what}: no commit is known, so results can't be traced to code. Set REENACT_GIT_COMMIT."
        )
    if lineage.git_dirty:
        return warning("code", f"{what}: commit {lineage.git_commit[:12]} with changes that are in no commit.")
    return ok("code", f"{what}, commit {lineage.git_commit[:12]}.")


def check_libraries() -> Finding:
    """Import what is installed: a library that lacks a shared object of the system says so here."""
    here, broken, absent = [], [], []
    for module, distribution in _LIBRARIES.items():
        try:
            version = metadata.version(distribution)
        except metadata.PackageNotFoundError:
            absent.append(module)
            continue
        try:
            import_module(module)
        except Exception as error:  # whatever a broken library raises
            broken.append(f"{module} {version} ({_said(error)})")
        else:
            here.append(f"{module} {version}")
    if missing := [module for module in absent if module in _ALWAYS]:
        return failed(
            "libraries", f"{', '.join(missing)}: not installed, and every step needs it. Build the image again."
        )
    if broken:
        return failed("libraries", f"can't be loaded: {'; '.join(broken)}. Build the image again.")
    left_out = f"; not in this image: {', '.join(absent)}" if absent else ""
    return ok("libraries", f"{', '.join(here)}{left_out}.")


def check_gpus(wanted: int | None) -> Finding:
    """Compute on every GPU there is; `wanted`: at least so many, None: any number will do."""
    try:
        import torch
    except ImportError as error:
        if wanted:
            return failed(
                "gpu", f"{wanted} wanted, but there is no PyTorch here ({_said(error)}). Use the train image."
            )
        return ok("gpu", "not looked for: there is no PyTorch here.")
    if not torch.cuda.is_available():
        if not wanted:
            return ok("gpu", f"none; PyTorch {torch.__version__} computes on {os.cpu_count()} processors.")
        built = torch.version.cuda
        why = (
            f"PyTorch is built for CUDA {built} and sees none: ask for one (nvidia.com/gpu, --gpus all), and "
            "check the driver of the node"
            if built
            else "PyTorch is the build for the CPU: build the train image with TORCH=cuda"
        )
        return failed("gpu", f"{wanted} wanted, but {why}.")
    return _visible_gpus(wanted)


def _visible_gpus(wanted: int | None) -> Finding:
    import torch

    seen = []
    for index in range(torch.cuda.device_count()):
        known = torch.cuda.get_device_properties(index)
        try:
            ones = torch.ones(64, 64, device=f"cuda:{index}")
            if float((ones @ ones).sum()) != 64.0**3:
                return failed("gpu", f"{known.name} ({index}) computes wrongly. Take the node out of service.")
        except RuntimeError as error:
            return failed("gpu", f"{known.name} ({index}) can't compute: {_said(error)}")
        seen.append(f"{known.name} with {known.total_memory / _GIB:.0f} GiB")
    what = f"{len(seen)} ({', '.join(seen)}), CUDA {torch.version.cuda}"
    if wanted and len(seen) < wanted:
        return failed("gpu", f"{wanted} wanted, but there is {what}. Ask for more (cluster.gpus).")
    return ok("gpu", f"{what}.")


def check_shared_memory(gpus: int, path: Path = Path("/dev/shm")) -> Finding:
    """Processes of one pod hand each other data through here; containers get 64 MiB by default."""
    if not path.is_dir():
        return warning("shared memory", f"there is no {path} here.")
    size = shutil.disk_usage(path).total
    if size >= _ENOUGH_SHARED:
        return ok("shared memory", f"{path} has {_amount(size)}.")
    say = failed if gpus > 1 else warning
    return say(
        "shared memory",
        f"{path} has only {_amount(size)}: several training processes in one pod die there of a bus error. Mount an "
        "emptyDir with medium Memory, or use --shm-size 8g.",
    )


def check_caches() -> Finding:
    """Every folder that libraries write to beside the results."""
    folders = {name: Path(os.environ[name]) for name in _CACHES if os.environ.get(name)}
    folders["temporary files"] = Path(tempfile.gettempdir())
    wrong = [f"{name} ({folder}): {said}" for name, folder in folders.items() if (said := _refusal(folder))]
    if wrong:
        return failed("caches", f"can't be written: {'; '.join(wrong)}. Mount an emptyDir at /tmp.")
    free = _amount(shutil.disk_usage(tempfile.gettempdir()).free)
    return ok("caches", f"{len(folders)} folders can be written, {free} free for temporary files.")


def check_folder(folder: Path) -> Finding:
    """A folder for results: writable, with the moves that results are written by, and room."""
    name = f"folder {folder}"
    if not folder.is_dir():
        return failed(name, "there is no such folder. Mount the volume there (cluster.volume), or make it.")
    probe = folder / f".reenact-doctor-{os.getpid()}"
    try:
        with alone_in(probe), atomic_folder(probe / "moved") as temporary:
            (temporary / "file").write_text("probe")
        if (probe / "moved" / "file").read_text() != "probe":
            return failed(name, "what is written here isn't what is read again. Use another volume.")
    except (OSError, StorageError) as error:
        user = f"user {os.getuid()}, group {os.getgid()}"
        return failed(name, f"can't be written by {user}: {_said(error)} Give the volume to group 1000 (fsGroup).")
    finally:
        shutil.rmtree(probe, ignore_errors=True)
    free = shutil.disk_usage(folder).free
    if free < _LITTLE_DISK:
        return warning(name, f"only {_amount(free)} free; a training with its shards takes more than that soon.")
    return ok(name, f"can be written, {_amount(free)} free.")


def _refusal(folder: Path) -> str:
    """Why nothing can be written to a folder, which is made where it is missing; "" where it can."""
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            return ""
    except OSError as error:
        return error.strerror or str(error)


def _amount(size: int) -> str:
    return f"{size / _GIB:.1f} GiB" if size >= _GIB else f"{size / (1 << 20):.0f} MiB"


def _said(error: BaseException) -> str:
    return " ".join(str(error).split())[:300]
