"""Process media items in parallel. A file that crashes or hangs its worker process costs that one item; the run continues."""

import os
import signal
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import TimeoutError as ItemTimeout
from multiprocessing import get_context
from types import FrameType
from typing import TypeVar

import psutil
from pebble import ProcessExpired, ProcessFuture, ProcessPool
from tqdm import tqdm

from realframe.errors import DecoderCrashError, LimitExceededError, MediaError

Item = TypeVar("Item")
Result = TypeVar("Result")

_GRACE_S = 30  # beyond the decoder's own limit, which should apply first, since its message is better

_PRELOADED = ["realframe.media.clean", "realframe.media.extract", "pandas"]  # slow imports that all workers share


def process_items(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, timeout_s: float, title: str, name: Callable[[Item], object] = str
) -> list[Result | MediaError]:
    """Call ``work`` on each of ``items`` in ``workers`` processes, with a progress bar.

    Args:
        work: a function at the top level of a module, or a ``partial`` of one; it may raise MediaError.
        items: its arguments; they are pickled.
        workers: at least 1.
        timeout_s: time limit of one item, seconds of wall clock.
        title: of the progress bar.
        name: returns the name of an item in errors.

    Returns:
        For each item, in order, what ``work`` returned, or the MediaError that it raised or that its crash or timeout gives.

    Raises:
        Exception: any other error of ``work``, which is a defect; the workers are then stopped, as on Ctrl-C.
    """
    if not items:
        return []
    # Workers are forked from a small server process: a fork of this one would copy its running threads in an unknown state.
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    pool = ProcessPool(max_workers=min(workers, len(items)), initializer=_initialize_worker, context=context)
    with pool:
        try:
            futures = [pool.schedule(work, args=[item], timeout=timeout_s + _GRACE_S) for item in items]
            pairs = tqdm(zip(items, futures, strict=True), title, len(items), unit="item", disable=not sys.stderr.isatty() or None)
            return [_outcome(future, name(item), timeout_s) for item, future in pairs]
        except BaseException:
            pool.stop()
            raise


def _outcome(future: ProcessFuture, subject: object, timeout_s: float) -> "Result | MediaError":
    try:
        return future.result()
    except MediaError as error:
        return error
    except ItemTimeout:
        return LimitExceededError(subject, f"takes more than {timeout_s:,.0f} s", "Cut it, or raise limits.timeout_s in params.yaml.")
    except ProcessExpired as error:
        reason = f"ended the process that decoded it (exit status {error.exitcode})"
        return DecoderCrashError(subject, reason, "Check that it opens; export it again.")


def _initialize_worker() -> None:
    signal.signal(signal.SIGTERM, _exit_on_sigterm)


def _exit_on_sigterm(number: int, _: FrameType | None) -> None:
    """Exit. While a decoder is running, raise SystemExit, so that the decoder is stopped and its temporary folder is removed."""
    if psutil.Process().children():
        raise SystemExit(128 + number)
    os._exit(128 + number)
