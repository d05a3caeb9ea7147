"""Downloads: checked, resumed, from mirrors."""

import json

import pytest
from preparations import PAYLOAD, SHA256

from errors import UserError
from preparation import download


def test_a_file_is_downloaded_and_checked_and_not_asked_for_again(server, tmp_path):
    path = tmp_path / "archives" / "a.zip"
    for _ in range(2):
        download.fetch([f"{server.url}/a.zip"], path, SHA256)
    assert path.read_bytes() == PAYLOAD and server.asked == [("/a.zip", None)]
    assert [p.name for p in path.parent.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_connection_that_ends_is_resumed_where_it_ended(server, tmp_path, sha256):
    server.breaks["/a.zip"] = 3_000_000
    download.fetch([f"{server.url}/a.zip"], tmp_path / "a.zip", sha256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD
    assert server.asked == [("/a.zip", None), ("/a.zip", "bytes=3000000-")]


def test_a_download_that_was_killed_resumes(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(PAYLOAD[:5_000_000])
    download.fetch([f"{server.url}/a.zip"], tmp_path / "a.zip", SHA256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD
    assert server.asked == [("/a.zip", "bytes=5000000-")]


def test_a_part_that_was_all_but_renamed_is_recognised(server, tmp_path):
    (tmp_path / "a.zip.part").write_bytes(PAYLOAD)
    download.fetch([f"{server.url}/a.zip"], tmp_path / "a.zip", SHA256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD


def test_a_part_of_an_older_file_is_not_continued_with_a_newer_one(server, tmp_path):
    path = tmp_path / "a.zip"
    (tmp_path / "a.zip.part").write_bytes(b"old" * 1000)
    note = {"url": f"{server.url}/a.zip", "version": '"0"'}
    (tmp_path / "a.zip.part.json").write_text(json.dumps(note))
    download.fetch([f"{server.url}/a.zip"], path)
    assert path.read_bytes() == PAYLOAD
    path.unlink()
    (tmp_path / "a.zip.part").write_bytes(b"whose?" * 1000)  # without a note and a hash
    download.fetch([f"{server.url}/a.zip"], path)
    assert path.read_bytes() == PAYLOAD


def test_a_server_that_cannot_resume_starts_again(server, tmp_path):
    server.ranges, server.breaks["/a.zip"] = False, 3_000_000
    download.fetch([f"{server.url}/a.zip"], tmp_path / "a.zip", SHA256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD


def test_the_next_mirror_is_taken_if_one_has_not_the_file_or_another(server, tmp_path):
    server.files["/other.zip"] = b"something else"
    urls = [f"{server.url}/none.zip", f"{server.url}/other.zip", f"{server.url}/a.zip"]
    download.fetch(urls, tmp_path / "a.zip", SHA256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD


def test_all_mirrors_are_named_if_none_works(server, tmp_path):
    server.files["/other.zip"] = b"something else"
    urls = [f"{server.url}/none.zip", f"{server.url}/other.zip"]
    with pytest.raises(UserError) as caught:
        download.fetch(urls, tmp_path / "a.zip", SHA256)
    lines = str(caught.value).splitlines()
    assert (
        "could not be downloaded; run the same again to resume, or put the file there" in lines[0]
    )
    assert lines[1].endswith("none.zip: Not Found") and f"expected {SHA256}" in lines[2]
    assert list(tmp_path.glob("*.zip")) == []


def test_an_address_that_is_none_is_one_message(tmp_path):
    with pytest.raises(UserError, match="a.zip: could not be downloaded;.*\n.*Invalid IPv6 URL"):
        download.fetch(["http://[::1/a.zip"], tmp_path / "a.zip")


def test_an_archive_that_is_there_is_used_if_its_hash_is_right(tmp_path):
    (tmp_path / "a.zip").write_bytes(PAYLOAD)
    download.fetch([], tmp_path / "a.zip", SHA256)
    with pytest.raises(UserError, match="a.zip: has the SHA-256 .*, expected 0000.*: remove it"):
        download.fetch([], tmp_path / "a.zip", "0" * 64)
    with pytest.raises(UserError, match="b.zip: does not exist and cannot be downloaded; put it"):
        download.fetch([], tmp_path / "b.zip", SHA256)
