"""Runs a Python program, with its arguments, that is told to end when whoever started it is gone, however that ended.

    python -m tests.support.leash -m some.module its arguments

Only Linux can do this. Elsewhere, what a killed run of the tests has started stays behind.
"""

import ctypes
import os
import signal
import sys

PR_SET_PDEATHSIG = 1
_prctl = ctypes.CDLL(None).prctl if sys.platform == "linux" else None


def end_with_parent(sign: signal.Signals = signal.SIGTERM) -> None:
    """Let this process be sent a signal when the thread that has started it is gone; it stays so over an `exec`."""
    if _prctl is not None:
        _prctl(PR_SET_PDEATHSIG, sign)


if __name__ == "__main__":
    end_with_parent()
    os.execv(sys.executable, [sys.executable, *sys.argv[1:]])
