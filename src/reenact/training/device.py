"""The machine a training runs on: device, precision, threads, and the same bits every time."""

import os
from collections.abc import Iterable
from typing import TYPE_CHECKING

import cv2
import torch
from torch import nn

from reenact.config import Runtime
from reenact.errors import SettingsError

if TYPE_CHECKING:
    from lightning_fabric import Fabric


def device_of(runtime: Runtime) -> torch.device:
    """`runtime.device` as torch sees it; auto is a CUDA device where there is one, else the CPU."""
    if runtime.device == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    device = torch.device(runtime.device)
    if device.type == "cuda" and not torch.cuda.is_available():
        raise SettingsError(f'runtime.device: "{runtime.device}", but torch finds no CUDA device here; try auto.')
    return device


def lie_channels_last(networks: Iterable[nn.Module]) -> None:
    """Let weights, and with them all that convolutions make of pictures, lie in memory with the channels together."""
    for network in networks:
        network.to(memory_format=torch.channels_last)  # type: ignore[call-overload]  # torch's types lack this form


def make_fabric(runtime: Runtime) -> "Fabric":
    """A launched Fabric, with this process set to deterministic algorithms and `runtime.threads`.

    One process, or one of several where `torchrun` started us: those of one machine share its processors. Raises
    SettingsError where there is no device for each.
    """
    from lightning_fabric import Fabric  # two seconds to import, and who only asks for the device doesn't need it

    device = device_of(runtime)
    several, beside = int(os.environ.get("WORLD_SIZE", "1")) > 1, int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    if several and device.type == "cuda" and beside > (there := torch.cuda.device_count()):
        raise SettingsError(
            f"{beside} processes, but torch finds {there} CUDA devices here: one for each is needed (cluster.gpus, or "
            "--nproc-per-node of torchrun)."
        )
    os.environ.setdefault("CUBLAS_WORKSPACE_CONFIG", ":4096:8")  # cuBLAS is deterministic only with it
    torch.use_deterministic_algorithms(True, warn_only=device.type != "cpu")
    # Deterministic algorithms would fill fresh memory first; it costs time, and we read no uninitialised memory.
    torch.utils.deterministic.fill_uninitialized_memory = False  # type: ignore[attr-defined]
    torch.set_num_threads(_threads(runtime))
    cv2.setNumThreads(0)  # frames are small: OpenCV's own threads would only fight torch's
    one = [device.index] if device.index is not None else 1
    fabric = Fabric(
        accelerator=device.type,
        devices=beside if several else one,
        num_nodes=int(os.environ.get("WORLD_SIZE", "1")) // beside,
        strategy="ddp" if several else "auto",
        precision=runtime.precision,
    )
    fabric.launch()
    return fabric


def _threads(runtime: Runtime) -> int:
    """`runtime.threads`; for each of several processes no more than its share of the processors."""
    beside = int(os.environ.get("LOCAL_WORLD_SIZE", "1"))
    return runtime.threads if beside == 1 else max(1, min(runtime.threads, len(os.sched_getaffinity(0)) // beside))
