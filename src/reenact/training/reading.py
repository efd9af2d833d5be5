"""Batches read ahead of the step that trains on them."""

from collections import deque
from collections.abc import Callable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor

from reenact.faces.batch import FaceBatch


def ahead(read: Callable[[int], FaceBatch], steps: range, *, threads: int) -> Iterator[FaceBatch]:
    """Batches of the steps in order; with threads, the next ones are read while one is trained on."""
    if threads == 0:
        yield from map(read, steps)
        return
    with ThreadPoolExecutor(threads, thread_name_prefix="read-ahead") as pool:
        waiting: deque[Future[FaceBatch]] = deque()
        try:
            for step in steps:
                waiting.append(pool.submit(read, step))
                if len(waiting) > 2 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()
