"""SIGTERM: what a cluster sends before it takes the machine away."""

import contextlib
import signal
import threading

from errors import UserError

SIGTERM = "SIGTERM came"


class Interrupted(UserError):
    """The training was told to stop, and has saved its state. Scripts leave with 75, EX_TEMPFAIL of
    sysexits.h: try again later."""

    status = 75


@contextlib.contextmanager
def noticed():
    """While this holds, SIGTERM ends nothing: the function that it yields tells if one came."""
    came = []
    if threading.current_thread() is not threading.main_thread():
        yield lambda: False  # only the main thread may say what a signal does
        return
    before = signal.signal(signal.SIGTERM, lambda *_: came.append(True))
    try:
        yield lambda: bool(came)
    finally:
        signal.signal(signal.SIGTERM, before)
