"""Downloads files from one of several mirrors, checks their hashes, and resumes downloads."""

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
MAX_TRIES = 5  # in a row without receiving anything
TIMEOUT = 60  # seconds without a response
FAILURES = (urllib.error.URLError, http.client.HTTPException, ConnectionError, TimeoutError)


def fetch(urls, path, sha256=None):
    """Download a file from the first of `urls` that works, unless it exists.

    An interrupted download is kept as `path` + ".part"; the next call resumes it.

    Args:
        urls: addresses of the same file; [] if it cannot be downloaded.
        path: of the file.
        sha256: the expected SHA-256 in hexadecimal digits; None: it is only logged.

    Returns:
        the SHA-256 of the file.

    Raises:
        UserError: no mirror has the file, its hash is another, or the disk is full.
    """
    path = Path(path)
    if path.exists():
        return _checked(path, sha256)
    if not urls:
        raise UserError(f"{path}: does not exist and cannot be downloaded; put it there")
    part = path.with_name(path.name + ".part")
    problems = []
    for url in urls:
        try:
            _download(url, part, sha256 is not None)
            found = _checked(part, sha256)
        except (*FAILURES, ValueError) as error:  # ValueError: no valid address
            problems.append(f"{url}: {getattr(error, 'reason', None) or repr(error)}")
            log.warning("%s", problems[-1])
        except _WrongFile as error:
            problems.append(f"{url}: {error}")
            log.warning("%s", problems[-1])
            part.unlink()
        else:
            _origin_path(part).unlink(missing_ok=True)
            os.replace(part, path)
            return found
    raise UserError(
        f"{path}: could not be downloaded; run the same again to resume, or put the file there:\n  "
        + "\n  ".join(problems)
    )


def digest(path):
    """The SHA-256 of a file in hexadecimal digits."""
    with open(path, "rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


class _WrongFile(UserError):
    """A file with another hash than expected."""


def _checked(path, sha256):
    """The SHA-256 of a file; a `_WrongFile` is raised if another one is expected."""
    found = digest(path)
    if sha256 is not None and found != sha256.lower():
        raise _WrongFile(
            f"{path}: has the SHA-256 {found}, expected {sha256.lower()}; it is another file or "
            "broken: remove it"
        )
    if sha256 is None:
        log.info("%s: SHA-256 %s", path, found)
    return found


def _origin_path(part):
    """The path of the JSON file that records the origin of a partial file: {url, version}."""
    return part.with_name(part.name + ".json")


def _origin(part):
    """The recorded origin of a partial file, or {}."""
    try:
        return read_json(_origin_path(part))
    except UserError:
        return {}


def _download(url, part, has_hash):
    """Download a file to `part`, with several tries. has_hash: will its hash be checked?"""
    part.parent.mkdir(parents=True, exist_ok=True)
    tries = 0
    while True:
        before = part.stat().st_size if part.exists() else 0
        try:
            if _resume(url, part, has_hash):
                return
            raise http.client.IncompleteRead(b"")
        except FAILURES as error:
            if isinstance(error, urllib.error.HTTPError) and error.code < 500:
                raise
            has_grown = part.exists() and part.stat().st_size > before
            tries = 0 if has_grown else tries + 1
            if tries == MAX_TRIES:
                raise
            time.sleep(tries)


def _resume(url, part, has_hash):
    """Request the missing bytes of `part`; return whether it is complete then."""
    offset = part.stat().st_size if part.exists() else 0
    origin = _origin(part)
    same_version = origin.get("url") == url and bool(origin.get("version"))
    if offset and not has_hash and not same_version:
        offset = 0  # it could not be detected if the rest came from another file
    request = urllib.request.Request(url, headers={"User-Agent": "scripts.prepare"})
    if offset:
        request.add_header("Range", f"bytes={offset}-")
        if same_version:
            request.add_header("If-Range", origin["version"])
    try:
        response = urllib.request.urlopen(request, timeout=TIMEOUT)
    except urllib.error.HTTPError as error:
        if error.code != 416:
            raise
        total = error.headers.get("Content-Range", "").rpartition("/")[2]
        if total == str(offset):
            return True
        part.unlink()  # it is longer than the file on the server, so part of another file
        return False
    with response:
        if response.status != 206:
            offset = 0
        total = _total(response, offset)
        version = response.headers.get("ETag") or response.headers.get("Last-Modified")
        _origin_path(part).write_text(json.dumps({"url": url, "version": version}))
        _receive(response, part, offset, total)
    return total is None or part.stat().st_size == total


def _total(response, offset):
    """The size of the whole file in bytes; None if the server does not state it."""
    if response.status == 206:
        content_range = response.headers.get("Content-Range", "")
        if not content_range.startswith(f"bytes {offset}-"):
            raise http.client.HTTPException(
                f"asked for bytes from {offset}, was sent {content_range!r}"
            )
        total = content_range.rpartition("/")[2]
        return int(total) if total.isdigit() else None
    length = response.headers.get("Content-Length")
    return int(length) if length is not None else None


def _receive(response, part, offset, total):
    """Append the content of a response to `part`, or overwrite it if `offset` is 0."""
    bar = tqdm(initial=offset, total=total, unit="B", unit_scale=True, desc=part.stem, disable=None)
    with bar, open(part, "ab" if offset else "wb") as file:
        while chunk := response.read(CHUNK):
            try:
                file.write(chunk)
                file.flush()
            except OSError as error:
                raise UserError(
                    f"{part}: cannot be written ({error.strerror}); free the disk and run it again"
                ) from error
            bar.update(len(chunk))
