"""The stages of dvc.yaml, one file each; DVC runs each in a process of its own."""

import ctypes
import os
import signal
import sys
import tempfile
from pathlib import Path
from types import TracebackType

from realframe.disk_space import is_disk_full, make_disk_full_error
from realframe.errors import ERROR_FILE_VARIABLE, RealframeError
from realframe.threads import prepare_import

_PR_SET_PDEATHSIG = 1


def _print_error(error_class: type[BaseException], error: BaseException, traceback: TracebackType | None) -> None:
    """Report an error that a user can act on as one sentence, Ctrl-C not at all, and any other error with its traceback.

    The sentence goes to the file that ``ERROR_FILE_VARIABLE`` names, for the process that runs the stage, else to standard error.
    """
    if not isinstance(error, RealframeError) and is_disk_full(error):
        error = make_disk_full_error(error, [Path.cwd(), Path(tempfile.gettempdir())])
    if isinstance(error, KeyboardInterrupt):
        return
    if not isinstance(error, RealframeError):
        sys.__excepthook__(error_class, error, traceback)
    elif file := os.environ.get(ERROR_FILE_VARIABLE):
        Path(file).write_text(f"{error.code}: {error}")
    else:
        print(f"{error.code}: {error}", file=sys.stderr)


prepare_import()
if "DVC_STAGE" in os.environ:
    sys.excepthook = _print_error
if "DVC_STAGE" in os.environ and sys.platform == "linux":  # set by DVC for the process of a stage: it ends if DVC is killed
    ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)
