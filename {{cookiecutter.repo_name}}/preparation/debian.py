"""Downloads Debian packages with apt, and unpacks them without installing them."""

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
ARCHIVES = (".pk3",)  # suffixes of zip files in packages of games


class FetchPackages:
    """Download Debian packages, and unpack each into a subfolder of `source` for later steps.

    They are downloaded from the mirror in apt's configuration of this machine; apt checks its
    signature. Nothing is installed, and root is not needed. The license file of each package is
    copied to `folder`/licenses/<package>.txt.

    Args:
        packages: {name: SHA-256 of the .deb file, or null for the version of any release}.
        archives: the folder of the .deb files; existing ones are not downloaded again.
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
            archive = self._fetch(package)
            found = digest(archive)
            if sha256 is not None and found != sha256:
                raise UserError(
                    f"{archive}: has the SHA-256 {found}, expected {sha256}. If your release of "
                    f"Debian has another version, write {package}: null to use it; the prepared "
                    "data then differ from those of the documentation"
                )
            log.info("%s: %s, SHA-256 %s", package, archive.name, found)
            self._unpack(archive, Path(source) / package)
            terms = Path(source) / package / "usr/share/doc" / package / "copyright"
            if not terms.is_file():
                raise UserError(f"{archive}: has no {terms.name} file; is it a package of Debian?")
            write_files({Path(folder) / "licenses" / f"{package}.txt": terms.read_bytes()})

    def _fetch(self, package):
        """The path of the package's .deb file, which is downloaded if it does not exist."""
        found = sorted(self.archives.glob(f"{package}_*.deb"))
        if not found:
            with tempfile.TemporaryDirectory(dir=self.archives) as temporary:
                _run(["apt-get", "download", package], f"{package}: apt cannot get it", temporary)
                for path in Path(temporary).glob(f"{package}_*.deb"):
                    path.replace(self.archives / path.name)
            found = sorted(self.archives.glob(f"{package}_*.deb"))
        if len(found) != 1:
            raise UserError(
                f"{self.archives}: holds {len(found)} files {package}_*.deb, expected 1; "
                f"{'leave the one to use' if found else 'put it there'}"
            )
        return found[0]

    @staticmethod
    def _unpack(archive, folder):
        with tempfile.TemporaryDirectory(dir=archive.parent) as temporary:
            tar = Path(temporary) / "data.tar"
            with open(tar, "wb") as file:
                _run(["dpkg-deb", "--fsys-tarfile", archive], f"{archive}: damaged", stdout=file)
            unpack(tar, folder, skip_links=True)  # most links lead to files of other packages
        for inner in sorted(path for path in folder.rglob("*") if path.suffix in ARCHIVES):
            unpack(inner, inner.with_suffix(""))


def _run(command, problem, folder=None, stdout=subprocess.PIPE):
    done = subprocess.run(command, cwd=folder, stdout=stdout, stderr=subprocess.PIPE, check=False)
    if done.returncode != 0:
        reason = " ".join(done.stderr.decode(errors="replace").split())
        raise UserError(
            f"{problem} ({reason or f'exit status {done.returncode}'}); apt-get update may help"
        )
