"""Adds the name of a piece of audio to the errors that it causes."""

import contextlib

import nussl

from errors import UserError

# errors that reading, separating and scoring a piece of audio may raise
FAILURES = (
    UserError,
    ValueError,
    nussl.core.audio_signal.AudioSignalException,
    nussl.separation.SeparationException,
)


@contextlib.contextmanager
def errors_named(name):
    """A context in which errors about a piece of audio become UserErrors that begin with `name`.

    Errors that every piece would cause (`UserError.general`) are not changed.
    """
    try:
        yield
    except FAILURES as error:
        if getattr(error, "general", False):
            raise
        text = str(error)
        raise UserError(text if text.startswith(f"{name}: ") else f"{name}: {text}") from error
