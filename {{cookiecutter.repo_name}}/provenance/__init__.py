"""Where a result comes from: what was run when, on what, with which code, and how it ended."""

from .environment import code, digest_of, environment, versions
from .record import log_file, recorded, sessions

__all__ = ["code", "digest_of", "environment", "log_file", "recorded", "sessions", "versions"]
