"""Run the same code several times, each time in a process of its own that has already imported TensorFlow."""

import subprocess
import sys
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self

_PARENT = """
import os, sys
{imports}
for _ in sys.stdin:
    child = os.fork()
    if not child:
        {body}
        sys.stdout.flush()
        os._exit(0)
    print("status", os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)
"""


@dataclass(frozen=True)
class ForkedRun:
    """One run: its exit status, negative for a signal, and the lines it printed."""

    status: int
    lines: list[str]


class ForkedRuns:
    """A process that imports once and forks for each run: a kill ends the fork only, and each run saves the import of TensorFlow.

    Args:
        imports: code of the parent process; it must not compute with TensorFlow, whose threads do not outlive a fork.
        body: code of each fork; it fails with status 1 where it raises.
        options: of ``subprocess.Popen``.
    """

    def __init__(self, imports: str, body: str, **options: Any) -> None:
        indented = "\n".join(" " * 12 + line for line in body.strip().splitlines())
        guarded = f"try:\n{indented}\n        except BaseException:\n            __import__('traceback').print_exc(); os._exit(1)"
        code = _PARENT.format(imports=imports, body=guarded)
        self._process = subprocess.Popen(
            [sys.executable, "-c", code], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True, bufsize=1, **options
        )

    def run(self) -> ForkedRun:
        """Run the body once."""
        assert self._process.stdin and self._process.stdout
        self._process.stdin.write("\n")
        lines: list[str] = []
        for line in self._process.stdout:
            if line.startswith("status "):
                return ForkedRun(int(line.split()[1]), lines)
            lines.append(line.rstrip("\n"))
        raise AssertionError(f"the process ended with status {self._process.wait()}")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, error: type[BaseException] | None, value: BaseException | None, traceback: TracebackType | None) -> None:
        self._process.stdin.close()  # type: ignore[union-attr]
        self._process.wait(10)
        self._process.stdout.close()  # type: ignore[union-attr]
