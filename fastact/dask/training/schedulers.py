"""Who runs the tasks: the current client of `distributed`, or else dask's scheduler for this process."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any
from uuid import uuid4

import dask
from dask.base import get_scheduler
from dask.delayed import delayed

__all__ = ["Scheduler"]

#: Seconds between two looks at whether there are workers, while tasks are waited for.
LOOK = 5.0

#: Seconds without any worker after which waiting ends, unless dask's "distributed.scheduler.no-workers-timeout" says.
WITHOUT_WORKERS = 300.0

#: Above which dask warns of large tasks: the parameters of a network are one, and are sent once for each step.
LARGE = {"distributed.admin.large-graph-warning-threshold": "64GiB"}


class Scheduler:
    """Runs tasks where dask would compute these collections.

    That is on the cluster of the current `distributed.Client`, unless dask's configuration names another scheduler; and
    without a client by threads of this process, or as configured. No task is bound to a worker.
    """

    def __init__(self, *collections: Any) -> None:
        get: Any = get_scheduler(collections=[each for each in collections if hasattr(each, "__dask_scheduler__")])
        client: Any = getattr(get, "__self__", None)
        self._client: Any = client if hasattr(client, "scheduler_info") else None
        self._options = {"scheduler": get if self._client is None else self._client}
        self._token = uuid4().hex
        self._tasks = 0
        self._functions: dict[Any, Any] = {}

    @property
    def ahead(self) -> bool:
        """Whether tasks run while others are waited for."""
        return self._client is not None

    def task(self, name: str, function: Any, *arguments: Any) -> Any:
        """A task; the dashboard shows it, with others of the same name, as `name`."""
        self._tasks += 1
        key = f"{name.replace(' ', '-')}-{self._token}-{self._tasks}"
        if function not in self._functions:
            self._functions[function] = delayed(function, pure=False, traverse=False)
        return self._functions[function](*arguments, dask_key_name=key)

    def start(self, tasks: Sequence[Any], priority: int = 0) -> list[Any]:
        """Compute tasks, and keep the results where they are; on a cluster, without waiting for them."""
        options = self._options if self._client is None else {**self._options, "priority": priority}
        with self._named():
            return list(dask.persist(*tasks, **options))

    def compute(self, tasks: Sequence[Any]) -> list[Any]:
        """The results of tasks, in order.

        Raises
        ------
        ConnectionError
            The cluster is gone, or without workers.
        RuntimeError
            Each worker that took a certain task died of it.
        """
        if self._client is None:
            return list(dask.compute(*tasks, **self._options))
        with self._named(), dask.config.set(LARGE):
            futures = self._client.compute(list(tasks))
            self._wait(futures)
            if not any(each.status == "error" for each in futures):
                return list(self._client.gather(futures))
        return self._failed(futures)

    def _wait(self, futures: list[Any]) -> None:
        """Wait for futures; raise ConnectionError where there is nobody to work for them."""
        from distributed import wait

        most = dask.utils.parse_timedelta(dask.config.get("distributed.scheduler.no-workers-timeout", None))
        most = WITHOUT_WORKERS if most is None else most
        since = time.monotonic()  # there was a worker, as far as is known
        while True:
            try:
                wait(futures, timeout=LOOK)
                return
            except TimeoutError:
                if self._client.nthreads():
                    since = time.monotonic()
                elif time.monotonic() - since > most:
                    raise ConnectionError(f"there was no worker for {most:g} seconds") from None

    def _failed(self, futures: list[Any]) -> list[Any]:
        """Raise what a task raised."""
        try:
            return list(self._client.gather(futures))
        except MemoryError as error:
            raise MemoryError(
                f"a worker is out of memory ({error}); give smaller chunks or batch_size, or fewer threads per worker"
            ) from error
        except Exception as error:
            if type(error).__name__ != "KilledWorker":
                raise
            raise RuntimeError(
                f"workers died one after another of the same task ({_line(error)}); give workers more memory, or take "
                "smaller chunks or a smaller batch_size"
            ) from error

    @contextmanager
    def _named(self) -> Iterator[None]:
        """Say in one line that the cluster is gone, and what to do."""
        try:
            yield
        except Exception as error:
            if self._client is None or not self._gone(error):
                raise
            raise ConnectionError(
                f"the dask cluster is gone ({_line(error)}); start another with a Client, and call again: training "
                "goes on after the last whole epoch"
            ) from error

    def _gone(self, error: Exception) -> bool:
        """Whether an error is the cluster's."""
        from concurrent.futures import CancelledError

        from distributed.comm.core import CommClosedError

        own = isinstance(error, CancelledError | CommClosedError | ConnectionError | TimeoutError)
        return own or self._client.status in ("closed", "closing")


def _line(error: Exception) -> str:
    return " ".join(str(error).split())[:200] or type(error).__name__
