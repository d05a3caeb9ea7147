"""Where `scripts.separate` looks and writes: public functions, and three runs of the script."""

import json
import os
from pathlib import Path

import numpy as np
import pytest
import soundfile
import yaml
from mp3_surgery import encoded, song

import audio
import experiment
import locks
import recordings
import streams
from errors import UserError
from scripts import separate

NOISE = 0.1 * np.random.default_rng(0).standard_normal(6000)


def sound(path):
    path.parent.mkdir(parents=True, exist_ok=True)
    form = {"format": "WAV"} if path.suffix.lower() not in (".flac", ".mp3") else {}
    soundfile.write(path, NOISE, 16000, **form)
    return path


def found(entry):
    return [recording.path.as_posix() for recording in recordings.find(str(entry)) or []]


def folders(entries, output):
    every = [recording for entry in entries for recording in recordings.find(str(entry))]
    pairs = recordings.with_folders(every, output)
    return {str(path): folder.relative_to(output).as_posix() for path, folder in pairs}


def separated(path, folder):
    """What a run leaves in the folder of a file."""
    folder.mkdir(parents=True, exist_ok=True)
    sound(folder / "source0.wav")
    record = {"input": {"path": str(path)}, "files": ["source0.wav"]}
    (folder / "separation.json").write_text(json.dumps(record))


def run(tmp_path, capsys, files, output, algorithm="HPSS"):
    """(status or message, what was printed) of the script."""
    content = {
        "info": {"name": "c", "output_folder": str(tmp_path / "run")},
        "algorithm": {"class": algorithm},
        "separate": {"files": [str(file) for file in files], "output_folder": str(output)},
    }
    config = tmp_path / "separate.yml"
    config.write_text(yaml.safe_dump(content, allow_unicode=True))
    status = 0
    try:
        separate.run(separate.main, "", ("algorithm", "separate"), ["-p", str(config)])
    except SystemExit as error:
        status = error.code or 0
    return status, capsys.readouterr().out


def test_what_systems_and_we_leave_beside_songs_is_ignored(tmp_path):
    song_file = sound(tmp_path / "songs" / "song.wav")
    for left in (
        "._song.wav",
        "__MACOSX/song.wav",
        ".hidden/song.wav",
        "a/__MACOSX/._b.wav",
        "separated/song/source0.wav",
    ):
        sound(tmp_path / "songs" / left)
    (tmp_path / "songs" / "separated" / "song" / "separation.json").write_text("{}")
    (tmp_path / "songs" / "notes.txt").write_text("no audio")
    assert found(tmp_path / "songs") == [str(song_file)]
    assert found(tmp_path / "songs" / "**" / "*.wav") == [str(song_file)]
    # what is named itself is taken
    made = tmp_path / "songs" / "separated" / "song"
    assert found(made) == [str(made / "source0.wav")]


@pytest.mark.parametrize("suffix", audio.SUFFIXES)
def test_a_folder_is_searched_for_every_kind_of_audio_file_in_capitals_too(tmp_path, suffix):
    for name in (f"a{suffix}", f"B{suffix.upper()}"):
        (tmp_path / name).write_bytes(b"x")
    assert len(found(tmp_path)) == 2
    assert len(found(tmp_path / f"*{suffix}")) == len(found(tmp_path / "*")) == 2


@pytest.mark.parametrize("folder", ["Live [2020]", "What?", "best * of", "[a-z]"])
def test_a_folder_with_wildcards_in_its_name_is_searched(tmp_path, folder):
    path = sound(tmp_path / folder / "a.WAV")
    sound(tmp_path / "other" / "b.txt.wav")
    for entry in (folder, f"{folder}/a.WAV", f"{folder}/*.wav", f"{folder}/**/*.wav"):
        assert found(tmp_path / entry) == [str(path)], entry
    assert recordings.find(str(tmp_path / "no such folder")) is None
    assert recordings.find(str(tmp_path / folder / "*.flac")) == []


def test_patterns_of_several_parts_fit_part_by_part(tmp_path):
    paths = [sound(tmp_path / name) for name in ("a/x/1.wav", "a/y/2.wav", "b/x/3.wav", "4.wav")]
    text = [str(path) for path in paths]
    assert found(tmp_path / "*" / "x" / "*.wav") == [text[0], text[2]]
    assert found(tmp_path / "a" / "**" / "*.wav") == text[:2]
    assert sorted(found(tmp_path / "**" / "[1-4].wav")) == sorted(text)
    assert found(tmp_path / "*.wav") == text[3:]
    assert sorted(found(tmp_path / "**")) == sorted(text)


def test_a_link_that_leads_back_does_not_lead_round_for_ever(tmp_path):
    path = sound(tmp_path / "songs" / "a.wav")
    os.symlink(tmp_path / "songs", tmp_path / "songs" / "again")
    sound(tmp_path / "elsewhere" / "b.wav")
    os.symlink(tmp_path / "elsewhere", tmp_path / "songs" / "linked")
    assert found(tmp_path / "songs") == [str(path), str(tmp_path / "songs" / "linked" / "b.wav")]


def test_what_is_called_like_a_recording_and_is_no_file_is_mentioned(tmp_path, caplog):
    path = sound(tmp_path / "a.wav")
    os.symlink(tmp_path / "nowhere.wav", tmp_path / "b.wav")
    os.symlink("c.wav", tmp_path / "c.wav")
    os.symlink(tmp_path / "nowhere.txt", tmp_path / "d.txt")
    os.mkfifo(tmp_path / "e.wav")
    assert found(tmp_path) == [str(path)]
    said = caplog.text
    for name in ("b.wav", "c.wav"):
        assert f"{tmp_path / name}: skipped, because it is a broken link" in said
    assert "e.wav: skipped, because it is a pipe or a device" in said and "d.txt" not in said
    caplog.clear()
    assert found(tmp_path / "a*.wav") == [str(path)] and not caplog.text


def test_audio_that_cannot_be_read_is_mentioned(tmp_path, caplog):
    path = sound(tmp_path / "a.wav")
    for name in ("b.M4A", "below/c.wma", "notes.txt", "._d.m4a"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_bytes(b"x")
    assert found(tmp_path) == [str(path)]
    left_out = [record.getMessage().split(":")[0] for record in caplog.records]
    assert left_out == [str(tmp_path / name) for name in ("b.M4A", "below/c.wma")]
    caplog.clear()
    assert found(tmp_path / "*") == [str(path)] and len(caplog.records) == 1
    caplog.clear()
    assert found(tmp_path / "*.wav") == [str(path)] and not caplog.records
    assert found(tmp_path / "*.m4a") == [str(tmp_path / "b.M4A")]  # asked for, and then refused


def test_the_folder_of_a_song_stays_when_a_namesake_appears(tmp_path):
    inside, output = tmp_path / "in", tmp_path / "out"
    first = sound(inside / "song.wav")
    assert folders([inside], output) == {str(first): "song"}
    separated(first, output / "song")
    other, deep = sound(inside / "song.flac"), sound(inside / "album" / "song.wav")
    expected = {str(first): "song", str(other): "song.flac", str(deep): "album/song"}
    assert folders([inside], output) == expected
    separated(other, output / "song.flac")
    elsewhere = sound(tmp_path / "elsewhere" / "song.wav")
    expected[str(elsewhere)] = "song.wav"
    assert folders([inside, elsewhere], output) == expected
    assert folders([elsewhere], output) == {str(elsewhere): "song.wav"}
    assert folders([elsewhere, inside], output) == expected
    first.unlink()  # its folder is free again
    separated(elsewhere, output / "song.wav")
    assert folders([elsewhere], output) == {str(elsewhere): "song.wav"}


@pytest.mark.parametrize(
    "content",
    [
        "",
        "[" * 100_000,
        "[]",
        "null",
        '{"input": 3}',
        '{"input": {"path": 3}, "files": [1]}',
        '{"input": {"path": "a\\u0000b"}, "files": 7}',
    ],
)
def test_a_damaged_record_is_none_and_the_song_is_separated_again(
    tmp_path, capsys, caplog, content
):
    path = sound(tmp_path / "a.wav")
    (tmp_path / "out" / "a").mkdir(parents=True)
    record = tmp_path / "out" / "a" / "separation.json"
    record.write_text(content)
    assert run(tmp_path, capsys, [path], tmp_path / "out")[0] == 0
    assert json.loads(record.read_text())["input"]["path"] == str(path)


def test_many_namesakes_get_a_folder_each(tmp_path):
    files = [sound(tmp_path / str(number) / "song.wav") for number in range(5)]
    named = folders(files, tmp_path / "out")
    assert len(set(named.values())) == 5
    assert folders([files[0], files[0], tmp_path / "0"], tmp_path / "out") == {
        str(files[0]): "song"
    }


@pytest.mark.parametrize("name", ["...wav", "..wav", ".wav", "....wav"])
def test_a_name_of_dots_stays_in_the_output_folder(tmp_path, name):
    path = sound(tmp_path / name)
    output = tmp_path / "deep" / "out"
    ((_, folder),) = recordings.with_folders(recordings.find(str(path)), output)
    assert folder.parent == output and not folder.name.startswith(".")


def test_an_output_folder_inside_the_input_folder_is_not_separated_again(tmp_path, capsys):
    sound(tmp_path / "songs" / "song.wav")
    for _ in range(3):
        status, printed = run(tmp_path, capsys, [tmp_path / "songs"], tmp_path / "songs" / "made")
        assert status == 0
        assert len(list(tmp_path.rglob("separation.json"))) == 1
    status, _ = run(tmp_path, capsys, [tmp_path / "songs"], tmp_path / "songs" / "others")
    assert status == 0 and len(list(tmp_path.rglob("separation.json"))) == 2


def test_files_of_others_stay_as_they_are(tmp_path, capsys):
    """Stems in a folder that is called like the mixture, next to it, where the sources go too."""
    sound(tmp_path / "mus/song.wav")
    stem = sound(tmp_path / "mus/song/source0.wav")
    before = stem.read_bytes()
    for _ in range(2):
        status, _ = run(tmp_path, capsys, [tmp_path / "mus"], tmp_path / "mus")
        assert status == 0 and stem.read_bytes() == before
        assert stem.as_posix() in found(tmp_path / "mus")
    assert (tmp_path / "mus/song.wav (2)/source0.wav").is_file()
    assert (tmp_path / "mus/song/source0/source0.wav").is_file()


def test_what_an_earlier_algorithm_left_is_removed_with_its_picture(tmp_path):
    folder = tmp_path / "song"
    for picture, kind in (("viz.png", "wav"), (None, "flac")):
        with streams.SourceFiles(folder, 8000, 100, kind) as sources:
            sources.write(np.zeros((2, 1, 100), np.float32))
            sources.finish({"input": {}} | ({"picture": picture} if picture else {}))
        if picture:
            (folder / picture).write_bytes(b"drawn")
    names = ["separation.json", "source0.flac", "source1.flac"]
    assert sorted(path.name for path in folder.iterdir()) == names


@pytest.mark.skipif(not locks.AVAILABLE, reason="no file locks here")
def test_two_processes_do_not_write_into_one_folder(tmp_path):
    block = np.zeros((2, 1, 100), np.float32)
    with streams.SourceFiles(tmp_path, 8000, 100) as first:
        first.write(block)
        second = streams.SourceFiles(tmp_path, 8000, 100)
        with second, pytest.raises(UserError, match="another process is writing sources to it"):
            second.write(block)
        first.finish({"input": {}})
    names = ["separation.json", "source0.wav", "source1.wav"]
    assert sorted(path.name for path in tmp_path.iterdir()) == names


def test_killed_between_its_files_it_is_separated_again_into_the_same_folder(tmp_path, monkeypatch):
    path, folder = sound(tmp_path / "song.wav"), tmp_path / "o/song"
    replaced = []

    def replace(source, target):
        if str(target).endswith("source1.wav"):
            raise KeyboardInterrupt
        replaced.append(target)
        os.rename(source, target)

    monkeypatch.setattr("streams.os.replace", replace)
    with pytest.raises(KeyboardInterrupt), streams.SourceFiles(folder, 8000, 100) as sources:
        sources.write(np.zeros((2, 1, 100), np.float32))
        sources.finish({"input": {"path": str(path)}})
    assert replaced and (folder / "source0.wav").is_file()
    assert not experiment.is_separated(path, folder, {"algorithm": "HPSS"})
    assert folders([path], tmp_path / "o") == {str(path): "song"}


def test_a_tilde_is_the_home_folder(tmp_path, capsys, monkeypatch):
    monkeypatch.setenv("HOME", str(tmp_path / "home"))
    monkeypatch.chdir(tmp_path)
    sound(tmp_path / "home" / "in" / "a.wav")
    assert run(tmp_path, capsys, ["~/in"], "~/out")[0] == 0
    assert (tmp_path / "home" / "out" / "a" / "separation.json").is_file()
    assert not Path("~").exists()
    status, _ = run(tmp_path, capsys, ["~nobody-of-this-name/in"], "out")
    assert "there is no home folder for" in status and "separate.files[0]" in status
    assert not any(path.name.startswith("~") for path in tmp_path.iterdir())


def test_a_file_that_is_cut_is_separated_as_far_as_it_goes_with_one_warning(
    tmp_path, capsys, caplog
):
    content = encoded(song(3.0))
    (tmp_path / "a.mp3").write_bytes(content[: len(content) // 2])
    assert run(tmp_path, capsys, [tmp_path / "a.mp3"], tmp_path / "out")[0] == 0
    (line,) = [line for line in caplog.messages if "cut short" in line]
    there = soundfile.info(str(tmp_path / "out" / "a" / "source0.wav")).frames
    assert f"decodes to {there / 44100:.1f} s of the 3.0 s that its header promises" in line
    record = json.loads((tmp_path / "out" / "a" / "separation.json").read_text())
    assert record["missing"].startswith("cut short")
    run(tmp_path, capsys, [tmp_path / "a.mp3"], tmp_path / "out")
    assert "1 of 1 file separated before" in caplog.messages
