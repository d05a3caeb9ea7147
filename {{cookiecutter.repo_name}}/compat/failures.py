"""What goes wrong with one piece of audio, reported by its name."""

import contextlib

import nussl

from errors import UserError

# what reading, separating and scoring raise about one piece of audio
FAILURES = (
    UserError,
    ValueError,
    nussl.core.audio_signal.AudioSignalException,
    nussl.separation.SeparationException,
)


@contextlib.contextmanager
def errors_named(name):
    """In this context, what goes wrong with a piece of audio becomes a UserError that names it;
    errors that every piece would have (`UserError.general`) stay as they are."""
    try:
        yield
    except FAILURES as error:
        if getattr(error, "general", False):
            raise
        text = str(error)
        raise UserError(text if text.startswith(f"{name}: ") else f"{name}: {text}") from error
