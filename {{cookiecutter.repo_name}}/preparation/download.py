"""Files from the web: from any of several mirrors, checked, and taken up where they broke off."""

import hashlib
import http.client
import json
import logging
import os
import time
import urllib.error
import urllib.request
from pathlib import Path

from tqdm import tqdm

from errors import UserError
from files import read_json

log = logging.getLogger("prepare")

CHUNK = 1 << 20  # bytes
TRIES = 5  # in a row without a byte more
TIMEOUT = 60  # seconds without an answer
FAILURES = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def fetch(urls, path, sha256=None):
    """Make sure that the file `path` is there; download it from the first of `urls` that works.

    An interrupted download stays in `path` + ".part", from which the next call resumes.

    Args:
        urls: of the same file; [] if nobody may hand it out.
        sha256: what the file must have, in hexadecimal digits; None: it is only logged.

    Returns:
        the SHA-256 of the file.

    Raises:
        UserError: no mirror has it, it is another file, or the disk is full.
    """
    path = Path(path)
    if path.exists():
        return _checked(path, sha256)
    if not urls:
        raise UserError(f"{path}: is not there and cannot be downloaded; put it there")
    part = path.with_name(path.name + ".part")
    problems = []
    for url in urls:
        try:
            _download(url, part, sha256 is not None)
            found = _checked(part, sha256)
        except FAILURES as error:
            problems.append(f"{url}: {getattr(error, 'reason', None) or repr(error)}")
            log.warning("%s", problems[-1])
        except _Wrong as error:
            problems.append(f"{url}: {error}")
            log.warning("%s", problems[-1])
            part.unlink()
        else:
            _note(part).unlink(missing_ok=True)
            os.replace(part, path)
            return found
    raise UserError(
        f"{path}: could not be downloaded; run the same again to go on, or put the file there:\n  "
        + "\n  ".join(problems)
    )


def digest(path):
    """The SHA-256 of a file in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _Wrong(UserError):
    """Not the file that was asked for."""


def _checked(path, sha256):
    """The SHA-256 of a file, which must be the one expected, if one is."""
    found = digest(path)
    if sha256 is not None and found != sha256.lower():
        raise _Wrong(
            f"{path}: has the SHA-256 {found}, expected {sha256.lower()}; it is another file or "
            "broken: remove it"
        )
    if sha256 is None:
        log.info("%s: SHA-256 %s", path, found)
    return found


def _note(part):
    """Where it is kept which file on which server a part is of."""
    return part.with_name(part.name + ".json")


def _noted(part):
    """What is kept there, or {}: a part without a note is downloaded again."""
    try:
        return read_json(_note(part))
    except UserError:
        return {}


def _download(url, part, checked):
    part.parent.mkdir(parents=True, exist_ok=True)
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _go_on(url, part, checked):
                return
            raise http.client.IncompleteRead(b"")
        except FAILURES as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise
            more = part.exists() and part.stat().st_size > before
            tries = 0 if more else tries + 1
            if tries == TRIES:
                raise
            time.sleep(tries)


def _go_on(url, part, checked):
    """Ask for what is missing of `part`; True if it is whole then."""
    there = part.stat().st_size if part.exists() else 0
    note = _noted(part)
    if there and not checked and (note.get("url") != url or not note.get("version")):
        there = 0  # nothing would tell if the rest were another file's
    request = urllib.request.Request(url, headers={"User-Agent": "scripts.prepare"})
    if there:
        request.add_header("Range", f"bytes={there}-")
        if note.get("url") == url and note.get("version"):
            request.add_header("If-Range", note["version"])
    try:
        answer = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        total = error.headers.get("Content-Range", "").rpartition("/")[2]
        if total == str(there):
            return True
        part.unlink()  # longer than the server's file: of another one
        return False
    with answer:
        if answer.status != 206:
            there = 0
        total = _total(answer, there)
        version = answer.headers.get("ETag") or answer.headers.get("Last-Modified")
        _note(part).write_text(json.dumps({"url": url, "version": version}))
        _receive(answer, part, there, total)
    return total is None or part.stat().st_size == total


def _total(answer, there):
    """Bytes of the whole file; None if the server does not say."""
    if answer.status == 206:
        range_sent = answer.headers.get("Content-Range", "")
        if not range_sent.startswith(f"bytes {there}-"):
            raise http.client.HTTPException(
                f"asked for bytes from {there}, was sent {range_sent!r}"
            )
        return (
            int(range_sent.rpartition("/")[2]) if range_sent.rpartition("/")[2].isdigit() else None
        )
    length = answer.headers.get("Content-Length")
    return int(length) if length is not None else None


def _receive(answer, part, there, total):
    bar = tqdm(initial=there, total=total, unit="B", unit_scale=True, desc=part.stem, disable=None)
    with bar, open(part, "ab" if there else "wb") as file:
        while chunk := answer.read(CHUNK):
            try:
                file.write(chunk)
                file.flush()
            except OSError as error:
                raise UserError(
                    f"{part}: cannot be written ({error.strerror}); free the disk and run it again"
                ) from error
            bar.update(len(chunk))
