"""Random and damaged archives: nothing is written outside the folder, and there is one error."""

import io
import tarfile
import zipfile

from fuzzing import fuzzed
from hypothesis import given
from hypothesis import strategies as st

from errors import UserError
from preparation import unpack

PARTS = st.sampled_from(["a", "b", "..", ".", "", "/", "\\", "C:", "é", "a" * 300, "\0", " ", "~"])
NAMES = st.lists(PARTS, min_size=1, max_size=5).map("/".join)
LINKS = {tarfile.SYMTYPE, tarfile.LNKTYPE}
TYPES = st.sampled_from([tarfile.REGTYPE, tarfile.DIRTYPE, tarfile.FIFOTYPE, *LINKS])
MEMBERS = st.lists(st.tuples(NAMES, TYPES, NAMES, st.binary(max_size=50)), min_size=1, max_size=4)


def tarred(members, mode):
    content = io.BytesIO()
    with tarfile.open(fileobj=content, mode=mode) as archive:
        for name, kind, target, data in members:
            member = tarfile.TarInfo(name)
            member.type, member.linkname = kind, target if kind in LINKS else ""
            member.size = len(data) if kind == tarfile.REGTYPE else 0
            archive.addfile(member, io.BytesIO(data))
    return content.getvalue()


def zipped(members, compression):
    content = io.BytesIO()
    with zipfile.ZipFile(content, "w", compression) as archive:
        for name, kind, _, data in members:
            member = zipfile.ZipInfo("entry")
            member.filename = name  # as it is, where the constructor would cut it
            member.compress_type = compression
            member.external_attr = (0o120777 if kind in LINKS else 0o100644) << 16
            archive.writestr(member, data)
    return content.getvalue()


ARCHIVES = st.one_of(
    st.builds(tarred, MEMBERS, st.sampled_from(["w", "w:gz", "w:bz2", "w:xz"])),
    st.builds(zipped, MEMBERS, st.sampled_from([zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED])),
)


def outside_is_untouched(content, folder, checked):
    """Unpack an archive two folders below `folder`, where only that may change."""
    folder.mkdir(exist_ok=True)
    archive, inside = folder / "archive", folder / "far" / "inside"
    archive.write_bytes(content)
    try:
        unpack.unpack(archive, inside, checked=checked)
    except UserError as error:
        assert "archive" in str(error) and len(str(error)) < 2000
    outside = {path for path in folder.rglob("*") if not path.is_relative_to(inside)}
    assert outside - {inside.parent} == {archive}
    assert not any(path.is_symlink() for path in inside.rglob("*"))


@fuzzed(40)
@given(content=ARCHIVES, checked=st.booleans())
def test_any_names_and_links_stay_in_the_folder(content, checked, tmp_path):
    outside_is_untouched(content, tmp_path / "names", checked)


@fuzzed(40)
@given(content=ARCHIVES, data=st.data())
def test_a_damaged_archive_is_unpacked_or_reported(content, data, tmp_path):
    place = data.draw(st.integers(0, len(content) - 1))
    end = data.draw(st.sampled_from([place + 1, place + 4, len(content)]))
    damaged = content[:place] + data.draw(st.binary(max_size=8)) + content[end:]
    outside_is_untouched(damaged, tmp_path / "damaged", data.draw(st.booleans()))
