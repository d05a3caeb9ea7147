"""The whole way: downloads, unpacking, steps, manifest; each part is done once."""

import logging
from pathlib import Path

from errors import UserError
from files import files_below, remove_unfinished, write_files

from . import manifest, sources
from .debian import FetchPackages
from .download import fetch
from .unpack import unpack

UNPACKING = ".unpacking"  # marks a folder into which archives are being unpacked
log = logging.getLogger("prepare")


def prepare(settings, steps):
    """Do what the section `prepare` says.

    Args:
        settings: the section, with its keys as attributes.
        steps: [object with `run(source, folder)`], made from `settings.steps`.

    Returns:
        the manifest's hash, or None if all was there already.

    Raises:
        UserError: something cannot be got, read or written.
    """
    folder = Path(settings.folder)
    plan = _plan(settings)
    remove_unfinished(folder)
    source = folder if settings.source is None else Path(settings.source)
    reason, known = manifest.written(folder, plan), manifest.sources(folder)
    if reason is None and not sources.differing(known, _described(source, folder, known)):
        log.info("%s: is there, nothing to do", folder)
        return None
    manifest.begin(folder, plan, source, known)
    archives = _unpacked(settings, source)
    fetched = any(isinstance(step, FetchPackages) for step in steps)
    if not source.is_dir() and not fetched:
        raise UserError(
            f"{source}: no such folder; put the data there ({settings.license}), or name another "
            "prepare.source"
        )
    if steps and not fetched:  # the hashes of packages are in the plan
        found = sources.described(source, folder, known)
        sources.forget(source, folder, steps, known, found)
        known = {**(known or {}), **found}
        manifest.begin(folder, plan, source, known)
    for step in steps:
        step.run(source, folder)
    made = manifest.write(folder, plan, archives, known)
    log.info("%s: made, manifest %s", folder, made)
    return made


def _described(source, folder, known):
    """The files of a source that is compared with what is known of it, if it is there."""
    is_whole = source.is_dir() and not (source / UNPACKING).exists()
    return sources.described(source, folder, known) if known and is_whole else {}


def _unpacked(settings, source):
    """Get the archives and unpack them into `source`. Returns {file: SHA-256}.

    An existing copy is used as it is if there is no archive to compare it with.
    """
    places = [Path(settings.archives) / download.file for download in settings.downloads]
    begun = source / UNPACKING
    if places and not begun.exists() and not any(map(_is_begun, places)) and files_below(source):
        log.info("%s: is there, nothing is downloaded", source)
        return {}
    if any(not place.exists() for place in places):
        log.info("license: %s", settings.license)
    digests = {}
    for download, archive in zip(settings.downloads, places, strict=True):
        digests[download.file] = fetch(download.urls, archive, download.sha256)
        write_files({begun: "archives are being unpacked here\n"})
        remove_unfinished(source)
        unpack(archive, source, checked=download.sha256 is not None)
    begun.unlink(missing_ok=True)
    return digests


def _is_begun(archive):
    return archive.exists() or archive.with_name(archive.name + ".part").exists()


def _plan(settings):
    """What decides how the folder's content is made, as plain data."""
    return {
        "downloads": [[d.file, d.sha256] for d in settings.downloads],
        "steps": [{"class": step.class_name, "args": step.args} for step in settings.steps],
    }
