"""Packages of Debian: fetched by apt, checked, and unpacked without being installed."""

import logging
import shutil
import subprocess
import tempfile
from pathlib import Path

from errors import UserError, raise_all
from files import write_files

from .download import digest
from .unpack import unpack

log = logging.getLogger("prepare")
ARCHIVES = (".pk3",)  # zip files in packages of games


class FetchPackages:
    """Debian packages are unpacked into `source`, each into a folder of its name, for later steps.

    They come from the mirror that this machine's apt is set up for, whose signature apt checks.
    Nothing is installed, and root is not needed. What a package says about its license is copied
    to `folder`: licenses/<package>.txt.

    Args:
        packages: {name: SHA-256 of the .deb file, or null to take the version of any release}.
        archives: the folder for the .deb files; files that are there are not downloaded.
    """

    def __init__(self, packages: dict, archives: str = "cache/archives"):
        self.packages, self.archives = packages, Path(archives).absolute()

    def run(self, source, folder):
        raise_all(
            f"FetchPackages needs {program}, which is not on the PATH; run this on Debian, or in a "
            "container of it"
            for program in ("apt-get", "dpkg-deb")
            if shutil.which(program) is None
        )
        self.archives.mkdir(parents=True, exist_ok=True)
        for package, sha256 in self.packages.items():
            archive = self._fetched(package)
            found = digest(archive)
            if sha256 is not None and found != sha256:
                raise UserError(
                    f"{archive}: has the SHA-256 {found}, expected {sha256}. If your release of "
                    f"Debian has another version, write {package}: null to take it; what is made "
                    "of it then differs from ours"
                )
            log.info("%s: %s, SHA-256 %s", package, archive.name, found)
            self._unpack(archive, Path(source) / package)
            terms = Path(source) / package / "usr/share/doc" / package / "copyright"
            if not terms.is_file():
                raise UserError(f"{archive}: has no {terms.name} file; is it a package of Debian?")
            write_files({Path(folder) / "licenses" / f"{package}.txt": terms.read_bytes()})

    def _fetched(self, package):
        """The package's .deb file, downloaded if it is not there."""
        there = sorted(self.archives.glob(f"{package}_*.deb"))
        if not there:
            with tempfile.TemporaryDirectory(dir=self.archives) as temporary:
                _run(["apt-get", "download", package], f"{package}: apt cannot get it", temporary)
                for path in Path(temporary).glob(f"{package}_*.deb"):
                    path.replace(self.archives / path.name)
            there = sorted(self.archives.glob(f"{package}_*.deb"))
        if len(there) != 1:
            raise UserError(
                f"{self.archives}: holds {len(there)} files {package}_*.deb, expected 1; "
                f"{'leave the one to use' if there else 'put it there'}"
            )
        return there[0]

    @staticmethod
    def _unpack(archive, folder):
        with tempfile.TemporaryDirectory(dir=archive.parent) as temporary:
            tar = Path(temporary) / "data.tar"
            with open(tar, "wb") as file:
                _run(["dpkg-deb", "--fsys-tarfile", archive], f"{archive}: damaged", stdout=file)
            unpack(tar, folder, skip_links=True)  # most lead to what other packages hold
        for inner in sorted(path for path in folder.rglob("*") if path.suffix in ARCHIVES):
            unpack(inner, inner.with_suffix(""))


def _run(command, problem, folder=None, stdout=subprocess.PIPE):
    done = subprocess.run(command, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.decode(errors="replace").split())
        raise UserError(
            f"{problem} ({reason or f'exit status {done.returncode}'}); apt-get update may help"
        )
