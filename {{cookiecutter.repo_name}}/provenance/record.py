"""run.json, the record of what was run in a folder, and the log beside it."""

import contextlib
import datetime
import json
import logging
import os
import time
from pathlib import Path

from files import read_json, write_files

from .energy import Energy
from .environment import code, command, environment

NAME = "run.json"


@contextlib.contextmanager
def recorded(folder, script, **facts):
    """Add a session to `run.json` in `folder`, when it begins and again when it ends.

    Of a session that was killed, "ended" is null. An error that ends it is its "outcome".

    Args:
        folder: the output folder.
        script: "train", "evaluate".
        facts: more of the session, plain data: seed, device, ...

    Yields:
        the session, a dict, to which the caller may add what came out.
    """
    path, began, energy = Path(folder) / NAME, time.monotonic(), Energy()
    session = {
        "script": script,
        "command": command(),
        "started": _now(),
        "ended": None,
        "outcome": None,
        **environment(),
        "code": code(),
        **facts,
    }
    _put(path, session)
    try:
        yield session
        session["outcome"] = "done"
    except BaseException as error:
        session["outcome"] = f"{type(error).__name__}: {error}".rstrip(": ")
        raise
    finally:
        times = os.times()  # user and system, of this process and of its workers that have ended
        session |= {
            "ended": _now(),
            "seconds": round(time.monotonic() - began, 1),
            "cpu_seconds": round(sum(times[:4]), 1),
            "energy_joules": energy.joules,
        }
        energy.close()
        if path.parent.is_dir():  # the folder may have been moved in the meantime
            _put(path, session)


def sessions(folder):
    """All sessions in the `run.json` of a folder, the first one first; [] if it has none.

    Raises:
        UserError: the file is damaged.
    """
    path = Path(folder) / NAME
    return read_json(path, ("sessions",))["sessions"] if path.exists() else []


def _put(path, session):
    """Write a session to the file, in place of what it was when it began."""
    key = ("script", "started", "command")
    others = sessions(path.parent)
    found = [i for i, one in enumerate(others) if all(one.get(k) == session[k] for k in key)]
    if found:
        others[found[-1]] = session
    else:
        others.append(session)
    write_files({path: json.dumps({"sessions": others}, indent=1) + "\n"})


def _now():
    return datetime.datetime.now().astimezone().isoformat(timespec="microseconds")


@contextlib.contextmanager
def log_file(path, *names):
    """Append what the loggers called `names` say to a file, after a line with the time and the
    command; an error that ends the work as well."""
    path = Path(path)
    path.parent.mkdir(parents=True, exist_ok=True)
    handler = logging.FileHandler(path, encoding="utf-8", errors="backslashreplace")
    handler.stream.write(f"{_now()}  {command()}\n")
    handler.flush()
    loggers = [logging.getLogger(name) for name in names]
    for logger in loggers:
        logger.addHandler(handler)
    try:
        yield
    except BaseException as error:
        handler.stream.write(f"ended by {type(error).__name__}: {error}\n")
        raise
    finally:
        for logger in loggers:
            logger.removeHandler(handler)
        handler.close()
