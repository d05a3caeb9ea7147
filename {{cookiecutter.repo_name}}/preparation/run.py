"""The whole way: downloads, unpacking, steps, manifest; each part is done once."""

import logging
from pathlib import Path

from files import UserError

from . import manifest
from .download import fetch
from .unpack import unpack

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
    reason = manifest.written(folder, plan)
    if reason is None:
        log.info("%s: is there, nothing to do", folder)
        return None
    manifest.begin(folder, plan)
    source = folder if settings.source is None else Path(settings.source)
    archives = [Path(settings.archives) / download.file for download in settings.downloads]
    if settings.downloads and any(not archive.exists() for archive in archives):
        log.info("licence: %s", settings.licence)
    for download, archive in zip(settings.downloads, archives, strict=True):
        fetch(download.urls, archive, download.sha256)
        unpack(archive, source)
    if not source.is_dir():
        raise UserError(
            f"{source}: no such folder; put the data there ({settings.licence}), or name another "
            "prepare.source"
        )
    for step in steps:
        step.run(source, folder)
    made = manifest.write(folder, plan)
    log.info("%s: made, manifest %s", folder, made)
    return made


def _plan(settings):
    """What decides how the folder's content is made, as plain data."""
    return {
        "downloads": [[d.file, d.sha256] for d in settings.downloads],
        "steps": [{"class": step.class_name, "args": step.args} for step in settings.steps],
    }
