"""Archives: unpacked, and refused where they cannot be trusted."""

import tarfile
import zipfile

import pytest
from preparations import PAYLOAD, tarred, zipped

from errors import UserError
from preparation import unpack


def test_zip_and_tar_are_unpacked_and_what_is_there_is_left_alone(tmp_path):
    files = {"top/é.wav": b"1", "top/inner/b.txt": b"22"}
    for archive in (zipped(tmp_path / "a.zip", files), tarred(tmp_path / "a.tar.gz", files)):
        folder = tmp_path / archive.stem
        unpack.unpack(archive, folder)
        kept = (folder / "top/é.wav").stat().st_mtime_ns
        (folder / "top/inner/b.txt").write_bytes(b"2")  # broke off there
        unpack.unpack(archive, folder)
        assert (folder / "top/é.wav").stat().st_mtime_ns == kept
        found = {p.relative_to(folder).as_posix(): p.read_bytes() for p in folder.rglob("*.*")}
        assert found == files


@pytest.mark.parametrize("name", ["../evil", "/evil", "a/../../evil", "..\\evil", "C:\\evil"])
def test_a_path_that_leads_out_of_the_folder_is_refused(tmp_path, name):
    for archive in (
        zipped(tmp_path / "a.zip", {name: b"x"}),
        tarred(tmp_path / "a.tar.gz", {name: b"x"}),
    ):
        with pytest.raises(UserError, match="which leads out of .*; do not trust it"):
            unpack.unpack(archive, tmp_path / "folder")
        assert not list(tmp_path.rglob("*evil*"))


def test_links_and_devices_are_refused(tmp_path):
    for kind, target in ((tarfile.SYMTYPE, "/etc"), (tarfile.LNKTYPE, "x"), (tarfile.FIFOTYPE, "")):
        archive = tarred(tmp_path / "a.tar.gz", {"link": (kind, target)})
        with pytest.raises(UserError, match="holds link, which is neither a file nor a folder"):
            unpack.unpack(archive, tmp_path / "folder")
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        link = zipfile.ZipInfo("link")
        link.external_attr = 0o120777 << 16
        archive.writestr(link, "/etc")
    with pytest.raises(UserError, match="holds a link, link"):
        unpack.unpack(tmp_path / "a.zip", tmp_path / "folder")


def test_a_link_in_the_folder_leads_nowhere_else(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "top").symlink_to(tmp_path)
    archive = zipped(tmp_path / "a.zip", {"top/evil": b"x"})
    with pytest.raises(UserError, match="leads out of .* through a link; remove that"):
        unpack.unpack(archive, tmp_path / "folder")


def test_a_broken_archive_is_reported(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": PAYLOAD[:1000]})
    content = bytearray(archive.read_bytes())
    content[200] ^= 255
    archive.write_bytes(content)
    with pytest.raises(UserError, match="a.zip: cannot be unpacked .Bad CRC"):
        unpack.unpack(archive, tmp_path / "folder")
    assert not (tmp_path / "folder" / "a").exists()
    (tmp_path / "b.zip").write_text("<html>")
    with pytest.raises(UserError, match="b.zip: a web page in place of the .*; remove it and get"):
        unpack.unpack(tmp_path / "b.zip", tmp_path / "folder")
