"""From archives on a web server, or a bought copy, to a folder with a manifest."""

import hashlib
import http.server
import io
import json
import re
import shutil
import tarfile
import threading
import zipfile
from pathlib import Path

import layouts
import numpy as np
import pytest
import soundfile
import yaml

import config
import experiment
import preparation
from compat import nussl
from dataset import MUSDB18, WSJ0Mix
from errors import UserError
from preparation import Convert, DecodeStems, MixWSJ0, download, unpack, wsj0
from scripts import common, prepare

PROJECT = Path(__file__).parent.parent
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
PAYLOAD = bytes(range(256)) * 40000  # 10 MB
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


@pytest.fixture
def server():
    """A web server on this machine: `files` {path: bytes}; `breaks` {path: bytes after which the
    connection ends, once}; `ranges` it honours or not; `asked` [(path, Range)]."""

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            server.asked.append((self.path, self.headers.get("Range")))
            if self.path not in server.files:
                self.send_error(404)
                return
            content = server.files[self.path]
            first = 0
            if self.headers.get("Range") and server.ranges:
                fresh = self.headers.get("If-Range") in (None, server.version)
                first = int(re.match(r"bytes=(\d+)-", self.headers["Range"])[1]) if fresh else 0
            if first >= len(content):
                self.send_response(416)
                self.send_header("Content-Range", f"bytes */{len(content)}")
                self.end_headers()
                return
            self.send_response(206 if first else 200)
            self.send_header("Content-Length", str(len(content) - first))
            self.send_header("ETag", server.version)
            if first:
                self.send_header(
                    "Content-Range", f"bytes {first}-{len(content) - 1}/{len(content)}"
                )
            self.end_headers()
            self.wfile.write(content[first : server.breaks.pop(self.path, None)])

        def log_message(self, *_):
            pass

    server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.files, server.breaks, server.asked = {"/a.zip": PAYLOAD}, {}, []
    server.ranges, server.version = True, '"1"'
    server.url = f"http://127.0.0.1:{server.server_port}"
    threading.Thread(target=server.serve_forever, args=(0.01,), daemon=True).start()
    yield server
    server.shutdown()
    server.server_close()


# downloads


def test_a_file_is_downloaded_and_checked_and_not_asked_for_again(server, tmp_path):
    path = tmp_path / "archives" / "a.zip"
    for _ in range(2):
        download.fetch([f"{server.url}/a.zip"], path, SHA256)
    assert path.read_bytes() == PAYLOAD and server.asked == [("/a.zip", None)]
    assert [p.name for p in path.parent.iterdir()] == ["a.zip"]


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_a_connection_that_ends_is_taken_up_where_it_ended(server, tmp_path, sha256):
    server.breaks["/a.zip"] = 3_000_000
    download.fetch([f"{server.url}/a.zip"], tmp_path / "a.zip", sha256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD
    assert server.asked == [("/a.zip", None), ("/a.zip", "bytes=3000000-")]


def test_a_download_that_was_killed_goes_on(server, tmp_path):
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


def test_a_server_that_cannot_go_on_begins_anew(server, tmp_path):
    server.ranges, server.breaks["/a.zip"] = False, 3_000_000
    download.fetch([f"{server.url}/a.zip"], tmp_path / "a.zip", SHA256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD


def test_the_next_mirror_is_taken_if_one_has_not_the_file_or_another(server, tmp_path):
    server.files["/other.zip"] = b"something else"
    urls = [f"{server.url}/none.zip", f"{server.url}/other.zip", f"{server.url}/a.zip"]
    download.fetch(urls, tmp_path / "a.zip", SHA256)
    assert (tmp_path / "a.zip").read_bytes() == PAYLOAD


def test_all_mirrors_are_told_if_none_works(server, tmp_path):
    server.files["/other.zip"] = b"something else"
    urls = [f"{server.url}/none.zip", f"{server.url}/other.zip"]
    with pytest.raises(UserError) as caught:
        download.fetch(urls, tmp_path / "a.zip", SHA256)
    told = str(caught.value).splitlines()
    assert "could not be downloaded; run the same again to go on, or put the file there" in told[0]
    assert told[1].endswith("none.zip: Not Found") and f"expected {SHA256}" in told[2]
    assert list(tmp_path.glob("*.zip")) == []


def test_an_archive_that_lies_there_is_taken_if_it_is_the_right_one(tmp_path):
    (tmp_path / "a.zip").write_bytes(PAYLOAD)
    download.fetch([], tmp_path / "a.zip", SHA256)
    with pytest.raises(UserError, match="a.zip: has the SHA-256 .*, expected 0000.*: remove it"):
        download.fetch([], tmp_path / "a.zip", "0" * 64)
    with pytest.raises(UserError, match="b.zip: is not there and cannot be downloaded; put it"):
        download.fetch([], tmp_path / "b.zip", SHA256)


# archives


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                archive.addfile(member)
    return path


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


def test_a_link_that_lies_in_the_folder_leads_nowhere_else(tmp_path):
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder" / "top").symlink_to(tmp_path)
    archive = zipped(tmp_path / "a.zip", {"top/evil": b"x"})
    with pytest.raises(UserError, match="leads out of .* through a link; remove that"):
        unpack.unpack(archive, tmp_path / "folder")


def test_a_broken_archive_is_told(tmp_path):
    archive = zipped(tmp_path / "a.zip", {"a": PAYLOAD[:1000]})
    content = bytearray(archive.read_bytes())
    content[200] ^= 255
    archive.write_bytes(content)
    with pytest.raises(UserError, match="a.zip: cannot be unpacked .Bad CRC"):
        unpack.unpack(archive, tmp_path / "folder")
    assert not (tmp_path / "folder" / "a").exists()
    (tmp_path / "b.zip").write_text("<html>")
    with pytest.raises(UserError, match="neither a zip nor a tar file, or damaged; get it again"):
        unpack.unpack(tmp_path / "b.zip", tmp_path / "folder")


# the script, from a server to a dataset


def run(tmp_path, **section):
    path = tmp_path / "prepare.yml"
    section = {
        "license": "none",
        "folder": str(tmp_path / "made"),
        "archives": str(tmp_path / "archives"),
        **section,
    }
    path.write_text(
        yaml.safe_dump({"info": {"name": "x", "output_folder": str(tmp_path)}, "prepare": section})
    )
    try:
        common.run(prepare.main, prepare.__doc__, ("prepare",), ["-p", str(path)])
    except SystemExit as leaving:
        return str(leaving.code)
    return None


def test_an_archive_becomes_a_folder_with_a_manifest_and_a_second_run_does_nothing(
    server, tmp_path, caplog
):
    layouts.musdb18(tmp_path / "hq")
    shutil.make_archive(str(tmp_path / "hq"), "zip", tmp_path / "hq")
    server.files["/hq.zip"] = (tmp_path / "hq.zip").read_bytes()
    section = {
        "downloads": [
            {
                "file": "hq.zip",
                "urls": [f"{server.url}/hq.zip"],
                "sha256": hashlib.sha256(server.files["/hq.zip"]).hexdigest(),
            }
        ],
        "source": str(tmp_path / "raw"),
        "steps": [{"class": "Convert", "args": {"sample_rate": 16000, "num_channels": 1}}],
    }
    with caplog.at_level("INFO"):
        assert run(tmp_path, **section) is None
    assert "license: none" in caplog.text
    data = MUSDB18(tmp_path / "made", "train", 16000, 1, PARAMS)
    assert len(data) == 2 and data.tracks[0].sample_rate == 16000
    manifest = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert data.manifest_hash == manifest["hash"] and len(manifest["files"]) == 6 * 5
    name = "test/Al James - Schoolboy Facination/bass.wav"
    assert manifest["files"][name]["length"] == layouts.SECONDS * 16000
    path = tmp_path / "made" / name
    assert manifest["files"][name]["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()

    before = {p: p.stat().st_mtime_ns for p in (tmp_path / "made").rglob("*")}
    caplog.clear()
    with caplog.at_level("INFO"):
        assert run(tmp_path, **section) is None
    assert "is there, nothing to do" in caplog.text and len(server.asked) == 1
    assert {p: p.stat().st_mtime_ns for p in (tmp_path / "made").rglob("*")} == before

    path.unlink()  # what is missing is made again, and only that
    assert run(tmp_path, **section) is None
    again = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert again["hash"] == manifest["hash"] and path.exists()
    other = tmp_path / "made/test/Al James - Schoolboy Facination/drums.wav"
    assert other.stat().st_mtime_ns == before[other]

    (path.parent / "notes.txt").write_text("added by hand")
    assert run(tmp_path, **section) is None
    more = json.loads((tmp_path / "made" / "manifest.json").read_text())
    assert more["hash"] != manifest["hash"] and len(more["files"]) == len(manifest["files"]) + 1

    section["steps"][0]["args"]["sample_rate"] = 8000
    assert "was made by another plan" in run(tmp_path, **section)


def test_the_same_files_have_the_same_hash_wherever_they_are_made(tmp_path):
    for place in ("one", "two"):
        (tmp_path / place).mkdir()
        zipped(tmp_path / "a.zip", {"x/a.txt": b"1", "x/b.txt": b"2"})
        (tmp_path / place / "archives").mkdir()
        shutil.copy(tmp_path / "a.zip", tmp_path / place / "archives")
        assert run(tmp_path / place, downloads=[{"file": "a.zip"}]) is None
    hashes = [
        json.loads((tmp_path / place / "made/manifest.json").read_text())["hash"]
        for place in ("one", "two")
    ]
    assert hashes[0] == hashes[1]
    expected = "".join(
        f"x/{n}.txt\0{hashlib.sha256(c).hexdigest()}\n" for n, c in (("a", b"1"), ("b", b"2"))
    )
    assert hashes[0] == hashlib.sha256(expected.encode()).hexdigest()


def test_what_is_missing_is_told_with_the_license(tmp_path):
    told = run(
        tmp_path,
        source=str(tmp_path / "wsj0"),
        license="the LDC's, to be bought",
        steps=[{"class": "Convert"}],
    )
    assert "wsj0: no such folder; put the data there (the LDC's, to be bought)" in told


@pytest.mark.parametrize(
    ("section", "message"),
    [
        ({"steps": [{"class": "Convrt"}], "source": "x"}, "no 'Convrt'; did you mean 'Convert'"),
        (
            {"steps": [{"class": "Convert", "args": {"rate": 1}}], "source": "x"},
            "no argument 'rate'",
        ),
        ({"steps": [{"class": "Convert"}]}, "prepare.source: is missing, the steps read from it"),
        ({"downloads": [{"file": "a", "urls": ["file:///etc/passwd"]}]}, "write a web address"),
        ({"downloads": [{"file": "a", "sha256": "abc"}]}, "write 64 hexadecimal digits"),
    ],
)
def test_a_wrong_file_is_told_before_anything_is_made(tmp_path, section, message):
    assert message in run(tmp_path, **section)
    assert not (tmp_path / "made").exists()


@pytest.mark.parametrize("path", sorted(PROJECT.glob("data_prep/*/*.yml")), ids=lambda p: p.stem)
def test_every_shipped_file_names_classes_that_are_there(path):
    settings = config.load(path, needs=("prepare",))
    experiment.check(settings)
    for step in settings.prepare.steps:
        preparation.STEPS[step.class_name](**step.args)


# steps


def test_sixteen_bits_stay_as_they_are_and_nothing_is_clipped(tmp_path):
    numbers = np.array([-32768, -1, 0, 1, 32767], dtype=np.int16).repeat(10)
    layouts.save(tmp_path / "a" / "x.flac", numbers, 16000)
    layouts.save(tmp_path / "a" / "loud.wav", np.array([0.5, 1.5, -2.0]), 16000, subtype="FLOAT")
    (tmp_path / "a" / "notes.txt").write_text("kept")
    Convert().run(tmp_path / "a", tmp_path / "b")
    assert np.array_equal(soundfile.read(tmp_path / "b" / "x.wav", dtype="int16")[0], numbers)
    loud = soundfile.read(tmp_path / "b" / "loud.wav")[0]
    assert np.array_equal(loud, [0.5, 1.5, -2.0])
    assert (tmp_path / "b" / "notes.txt").read_text() == "kept"
    with pytest.raises(UserError, match="its peak, 2.000, is above full scale, which FLAC cannot"):
        Convert(format="flac").run(tmp_path / "a", tmp_path / "c")


def test_without_ffmpeg_it_is_told_what_needs_it(tmp_path, monkeypatch):
    monkeypatch.setattr(shutil, "which", lambda _: None)
    (tmp_path / "a" / "train").mkdir(parents=True)
    (tmp_path / "a" / "train" / "x.stem.mp4").write_bytes(b"x")
    for step in (DecodeStems(), Convert()):
        with pytest.raises(
            UserError,
            match="x.stem.mp4: needs ffmpeg to be decoded, which is not "
            "on the PATH; install it .apt-get install ffmpeg",
        ):
            step.run(tmp_path / "a", tmp_path / "b")


@pytest.mark.slow
@pytest.mark.skipif(shutil.which("ffmpeg") is None, reason="ffmpeg is not installed")
def test_compressed_stems_become_folders_that_musdb18_reads(tmp_path):
    import subprocess

    layouts.musdb18(tmp_path / "hq")
    for song in sorted((tmp_path / "hq").glob("*/*")):
        target = tmp_path / "raw" / song.parent.name / f"{song.name}.stem.mp4"
        target.parent.mkdir(parents=True, exist_ok=True)
        order = ("mixture", "drums", "bass", "other", "vocals")  # of Native Instruments' stems
        inputs = [part for stem in order for part in ("-i", str(song / f"{stem}.wav"))]
        maps = [part for n in range(5) for part in ("-map", f"{n}:a")]
        subprocess.run(
            ["ffmpeg", "-v", "error", *inputs, *maps, "-c:a", "aac", "-b:a", "256k", str(target)],
            check=True,
            stdin=subprocess.DEVNULL,
        )
    DecodeStems().run(tmp_path / "raw", tmp_path / "made")
    for split in ("train", "val", "test"):
        data = MUSDB18(tmp_path / "made", split, 44100, 2, PARAMS, mixture="file")
        assert [t.name for t in data.tracks] == layouts.MUSDB_NAMES[split]
        truth = MUSDB18(tmp_path / "hq", split, 44100, 2, PARAMS)
        ours, theirs = data.excerpt(1, 5000, 50000), truth.excerpt(1, 5000, 50000)
        for one, other in zip(ours, theirs, strict=True):  # AAC, but the same stem in place
            assert np.corrcoef(one.ravel(), other.ravel())[0, 1] > 0.9
    assert "compressed files" not in str(data.tracks)


# WSJ0-mix


def speech(seed, seconds, gaps=True):
    """Noise in bursts of 0.4 s, with 0.6 s of silence between."""
    rng = np.random.default_rng(seed)
    sound = rng.normal(0, 0.1, int(16000 * seconds))
    if gaps:
        sound[np.arange(len(sound)) % 16000 > 6400] = 0
    return sound


def test_the_active_level_is_that_of_the_speech_without_the_pauses():
    steady = 0.1 * np.sin(2 * np.pi * 300 * np.arange(80000) / 8000)
    assert 10 * np.log10(wsj0.active_level(steady, 8000) / 0.005) == pytest.approx(0, abs=0.1)
    halved = np.where(np.arange(80000) // 16000 % 2 == 0, steady, 0)  # 2 s of speech, 2 s of none
    level = 10 * np.log10(wsj0.active_level(halved, 8000) / 0.005)
    mean = 10 * np.log10(np.mean(halved**2) / 0.005)
    assert mean < -2 and -0.6 < level < 0.1  # the hangover of 0.2 s counts as speech
    assert wsj0.active_level(np.zeros(8000), 8000) == 0
    gain = wsj0.active_level(0.01 * halved, 8000) / wsj0.active_level(halved, 8000)
    assert gain == pytest.approx(1e-4, rel=1e-3)


@pytest.fixture
def wsj(tmp_path):
    """A licensed copy in miniature, and lists of one mixture a split."""
    names = {
        "tr": ("wsj0/si_tr_s/01t/01to030v", "wsj0/si_tr_s/20d/20do010w"),
        "cv": ("wsj0/si_tr_s/01t/01to030x", "wsj0/si_tr_s/20d/20do0102"),
        "tt": ("wsj0/si_et_05/050/050a0501", "wsj0/si_dt_05/051/051o0207"),
    }
    (tmp_path / "lists").mkdir()
    for split, pair in names.items():
        for number, name in enumerate(pair):
            sound = speech(number, 2 + number)
            layouts.save(tmp_path / "copy" / f"{name}.wav", sound, 16000)
        line = f"{pair[0]}.wav 2.3106 {pair[1]}.wav -2.3106\n"
        (tmp_path / "lists" / f"mix_2_spk_{split}.txt").write_text(line)
    return tmp_path


def test_wsj0_is_mixed_at_the_lists_levels_into_folders_that_wsj0mix_reads(wsj):
    step = MixWSJ0(str(wsj / "lists"), wav=["wav8k", "wav16k"], mode=["min", "max"])
    step.run(wsj / "copy", wsj / "made")
    for rate, mode, length in ((8000, "min", 16000), (8000, "max", 24000), (16000, "max", 48000)):
        for split in ("train", "val", "test"):
            data = WSJ0Mix(wsj / "made" / "2speakers", split, rate, 1, PARAMS, mode=mode)
            assert len(data) == 1 and data.length_of(0) == length
            sources, mix = data.excerpt(0), data.mix(0)
            assert np.abs(mix - sources.sum(axis=0)).max() <= 2 / 32768
            peak = max(np.abs(mix).max(), np.abs(sources).max())
            assert peak == pytest.approx(0.9, abs=1e-4)
            first, second = sources[:, 0, : length if mode == "min" else None].astype(np.float64)
            levels = [wsj0.active_level(s, rate) for s in (first, second)]
            if mode == "max":
                assert 10 * np.log10(levels[0] / levels[1]) == pytest.approx(4.6212, abs=0.3)
    assert data.tracks[0].name == "050a0501_2.3106_051o0207_-2.3106"
    assert WSJ0Mix(wsj / "made/2speakers", "train", 8000, 1, PARAMS).tracks[0].name == (
        "01to030v_2.3106_20do010w_-2.3106"
    )


def test_given_levels_are_taken_in_place_of_measured_ones(wsj):
    levels = wsj / "levels.txt"
    levels.write_text(
        "01to030v 0.01\n20do010w 0.04\n01to030x,0.01\n20do0102 1\n050a0501 1\n051o0207 1\n"
    )
    MixWSJ0(str(wsj / "lists"), levels=str(levels)).run(wsj / "copy", wsj / "made")
    data = WSJ0Mix(wsj / "made" / "2speakers", "train", 8000, 1, PARAMS)
    first, second = data.excerpt(0)[:, 0]
    ratio = np.sum(first**2) / np.sum(second**2)
    sounds = [speech(number, 2 + number)[:32000] for number in (0, 1)]
    expected = 10**0.46212 * 4 * np.sum(sounds[0] ** 2) / np.sum(sounds[1] ** 2)
    assert ratio == pytest.approx(expected, rel=0.03)


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (2.3106, "2.3106"),
        (-0.5, "-0.5"),
        (0, "0"),
        (1.23456, "1.2346"),
        (0.12345678, "0.12346"),
        (-2, "-2"),
    ],
)
def test_levels_are_written_as_in_the_published_names(value, text):
    assert wsj0._number(value) == text


def test_what_is_wrong_with_lists_and_copies_is_told(wsj):
    run = MixWSJ0(str(wsj / "lists")).run
    (wsj / "lists" / "mix_2_spk_cv.txt").write_text("a.wav 1\n")
    with pytest.raises(UserError, match="mix_2_spk_cv.txt:1: expected a path and a level for each"):
        run(wsj / "copy", wsj / "made")
    (wsj / "lists" / "mix_2_spk_cv.txt").unlink()
    with pytest.raises(UserError, match="mix_2_spk_cv.txt: no such list; it comes with the"):
        run(wsj / "copy", wsj / "made")
    path = wsj / "copy" / "wsj0/si_tr_s/01t/01to030v.wav"
    path.rename(path.with_suffix(".wv1"))
    shutil.rmtree(wsj / "made")
    with pytest.raises(UserError, match="01to030v.wv1: is compressed as the LDC ships it; convert"):
        run(wsj / "copy", wsj / "made")
    path.with_suffix(".wv1").unlink()
    with pytest.raises(UserError, match="mix_2_spk_tr.txt:1: no wsj0/si_tr_s/01t/01to030v.wav in"):
        run(wsj / "copy", wsj / "made")
    with pytest.raises(UserError, match="mode is 'mid'; write min or max"):
        MixWSJ0("x", mode=["mid"])
