"""Media items in parallel over the cores. A file that kills or hangs its worker costs that one item; the run goes on."""

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

from realframe.errors import MediaError, OverLimitError, UndecodableError

Item = TypeVar("Item")
Result = TypeVar("Result")

_GRACE_S = 30  # beyond the decoder's own limit, which is meant to strike first, with the better message

_PRELOADED = ["realframe.media.clean", "realframe.media.extract", "pandas"]  # what workers need and is slow to import, once for all


def for_each(
    work: Callable[[Item], Result], items: Sequence[Item], workers: int, timeout_s: float, title: str, name: Callable[[Item], object] = str
) -> list[Result | MediaError]:
    """Call ``work`` on each of ``items`` in ``workers`` processes, with a progress bar.

    Args:
        work: a module's function, or a ``partial`` of one; it may raise MediaError.
        items: what it is called on; they are pickled.
        workers: at least 1.
        timeout_s: wall clock for one item.
        title: of the progress bar.
        name: what an error calls an item.

    Returns:
        For each item, in order, what ``work`` returned or the MediaError that it raised or came to.

    Raises:
        Exception: any other error of ``work``, which is a defect; the workers are stopped then, and also on Ctrl-C.
    """
    if not items:
        return []
    # Workers are forked from a small server, not from this process, whose running threads they would copy in an unknown state.
    context = get_context("forkserver")
    context.set_forkserver_preload(_PRELOADED)
    pool = ProcessPool(max_workers=min(workers, len(items)), initializer=_begin, context=context)
    with pool:
        try:
            futures = [pool.schedule(work, args=[item], timeout=timeout_s + _GRACE_S) for item in items]
            pairs = tqdm(zip(items, futures, strict=True), title, len(items), unit="item", disable=not sys.stderr.isatty() or None)
            return [_outcome(future, name(item), timeout_s) for item, future in pairs]
        except BaseException:
            pool.stop()
            raise


def _outcome(future: ProcessFuture, name: object, timeout_s: float) -> "Result | MediaError":
    try:
        return future.result()
    except MediaError as error:
        return error
    except ItemTimeout:
        return OverLimitError(name, f"takes more than {timeout_s:,.0f} s", "Cut it, or raise limits.timeout_s.")
    except ProcessExpired as error:
        return UndecodableError(name, f"makes its decoder crash (exit status {error.exitcode})", "Check that it opens; export it again.")


def _begin() -> None:
    signal.signal(signal.SIGTERM, _leave)


def _leave(number: int, _: FrameType | None) -> None:
    """Leave when told to. Where a decoder is running, by an exception, so that it is ended and its folder removed."""
    if psutil.Process().children():
        raise SystemExit(128 + number)
    os._exit(128 + number)
