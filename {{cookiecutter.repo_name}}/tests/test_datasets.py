"""Every dataset on its publisher's folders, in miniature: tracks found and errors reported."""

import logging
import re
import shutil
from pathlib import Path

import layouts
import numpy as np
import pytest
import soundfile
import yaml
from layouts import stems

import config
import dataset
from compat import nussl
from dataset import DATASETS
from dataset.splitting import split_names
from errors import UserError

PROJECT = Path(__file__).parents[1]
RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
WHOLE = int(layouts.SECONDS * RATE)


@pytest.fixture(scope="session")
def layout(tmp_path_factory):
    """layout(name) -> a folder with the dataset; not to be written into."""
    root = tmp_path_factory.mktemp("layouts")
    return lambda name: layouts.write(name, root / name)


@pytest.fixture
def copy(layout, tmp_path):
    """copy(name) -> the same, to be spoilt."""
    return lambda name: shutil.copytree(layout(name), tmp_path / name, symlinks=True)


def build(name, folder, split="train", rate=RATE, channels=1, **args):
    args = {**layouts.ARGS.get(name, {}), **args}
    return DATASETS[layouts.CLASSES[name]](folder, split, rate, channels, PARAMS, **args)


# what is found

FOUND = {
    "musdb18": (["bass", "drums", "other", "vocals"], "A Classic Education - NightOwl"),
    "mir1k": (["accompaniment", "vocals"], "abjones_1_01"),
    "slakh2100": (["bass", "drums", "guitar", "piano"], "Track00001"),
    "wsj0_2mix": (["s1", "s2"], "01to0300_2.3106_20do010w_-2.3106"),
    "wsj0_3mix": (["s1", "s2", "s3"], "01to0300_2.3106_20do010w_-2.3106"),
    "wham": (["s1", "s2"], "01to0300_2.3106_20do010w_-2.3106"),
    "remix_packs600": (["bass", "drums", "other", "vocals"], "Artist train - Söng 0 (Stems)"),
    "stem_folder": (["other", "vocals"], "sång 0"),
    "scaper": (["siren", "street"], "soundscape0"),
}


@pytest.mark.parametrize("name", FOUND)
def test_each_layout_gives_its_labels_tracks_and_splits(layout, name):
    rate = 8000 if name.startswith(("wsj", "wham")) else RATE
    labels, first = FOUND[name]
    names = {}
    for split in dataset.base.SPLITS:
        data = build(name, layout(name), split, rate)
        assert data.labels == labels
        assert len(data) == layouts.SONGS
        names[split] = [track.name for track in data.tracks]
        item = data[1]
        assert list(item["sources"]) == labels
        assert item["mix"].audio_data.shape == (1, int(layouts.SECONDS * rate))
        assert item["metadata"]["name"] == data.tracks[1].name
    assert names["train"][0] == first
    if name not in ("stem_folder", "scaper"):  # whose names are the same in each split here
        assert len({name for split in names.values() for name in split}) == 3 * layouts.SONGS


@pytest.mark.parametrize("name", FOUND)
def test_the_sources_are_the_songs_stems_and_the_mixture_is_their_sum(layout, name):
    rate = 8000 if name.startswith(("wsj", "wham")) else RATE
    data = build(name, layout(name), "test", rate)
    sounds = stems("test", 1, rate, 1)
    true = {
        "musdb18": {stem: [stem] for stem in layouts.STEMS},
        "mir1k": {"vocals": ["vocals"], "accompaniment": ["drums", "bass", "other"]},
        "slakh2100": {
            "bass": ["bass"],
            "drums": ["drums"],
            "guitar": ["other"],
            "piano": ["vocals"],
        },
        "wsj0_2mix": {"s1": ["vocals"], "s2": ["other"]},
        "wsj0_3mix": {"s1": ["vocals"], "s2": ["other"], "s3": ["bass"]},
        "wham": {"s1": ["vocals"], "s2": ["other"]},
        "remix_packs600": {"vocals": ["vocals"], "bass": ["bass"], "other": ["other"]},
        "stem_folder": {"vocals": ["vocals"], "other": ["other"]},
        "scaper": {"siren": ["vocals"], "street": ["other"]},
    }[name]
    sources = dict(zip(data.labels, data.excerpt(1), strict=True))
    noise_db = -12 if name in ("remix_packs600", "stem_folder") else -50  # MP3 and OGG are lossy
    for label, parts in true.items():
        expected = sum(sounds[part] for part in parts)[300:-300, 0]
        error = sources[label][0, 300 : 300 + len(expected)] - expected
        assert np.sum(error**2) < 10 ** (noise_db / 10) * np.sum(expected**2), label
    assert np.abs(data.mix(1) - data.excerpt(1).sum(axis=0)).max() < 1e-4


@pytest.mark.parametrize(
    "name",
    [
        "MUSDB18",
        "MIR1K",
        "Slakh2100",
        "WSJ0Mix",
        "WHAM",
        "RemixPacks600",
        "StemFolder",
        "Scaper",
        "Sample",
    ],
)
def test_every_published_dataset_is_known_by_name_and_says_how_to_get_it(name):
    text = DATASETS[name].__doc__
    assert "folder/" in text and "license" in text.lower() and "Args:" in text


def test_musdbs_validation_songs_are_those_of_the_publishers_reader():
    import importlib.util
    from pathlib import Path

    place = Path(importlib.util.find_spec("musdb").submodule_search_locations[0])
    theirs = yaml.safe_load((place / "configs" / "mus.yaml").read_text())["validation_tracks"]
    assert sorted(dataset.musdb18.VALIDATION) == sorted(theirs) and len(theirs) == 14


def test_a_short_copy_is_reported_with_the_publishers_count(layout, caplog):
    with caplog.at_level(logging.WARNING):
        build("musdb18", layout("musdb18"), "test")
    assert "2 tracks of MUSDB18, split 'test'; the publisher's copy has 50" in caplog.text


# groups


def test_a_star_means_every_stem_that_no_other_group_names(layout):
    groups = {"vocals": ["vocals"], "accompaniment": ["*"]}
    data = build("musdb18", layout("musdb18"), groups=groups)
    apart = build("musdb18", layout("musdb18"))
    assert data.labels == ["accompaniment", "vocals"]
    assert np.allclose(data.excerpt(0)[0], apart.excerpt(0)[:3].sum(axis=0), atol=1e-6)


def test_instruments_of_slakh_are_grouped_by_class_and_several_stems_summed(layout):
    groups = {"rhythm": ["Bass", "Drums"], "rest": ["*"]}
    data = build("slakh2100", layout("slakh2100"), groups=groups)
    apart = build("slakh2100", layout("slakh2100"))
    bass, drums, guitar, piano = apart.excerpt(0)
    rest, rhythm = data.excerpt(0)
    assert np.allclose(rhythm, bass + drums, atol=1e-6)
    assert np.allclose(rest, guitar + piano, atol=1e-6)


def test_an_unknown_class_of_a_group_is_reported_with_the_nearest(layout):
    with pytest.raises(
        UserError,
        match="groups.g: no stem 'Guitr'; did you mean 'Guitar'. "
        "Slakh2100 has Bass, Drums, Guitar, Piano",
    ):
        build("slakh2100", layout("slakh2100"), groups={"g": ["Guitr"]})


def test_noise_that_is_no_source_stays_in_the_mixture_of_wham(layout):
    folder = layout("wham")
    every = build("wham", folder, rate=8000, mix="mix_both")
    assert every.labels == ["noise", "s1", "s2"]
    noise = every.excerpt(0)[0]
    two = build("wham", folder, rate=8000, mix="mix_both", groups={"s1": ["s1"], "s2": ["s2"]})
    left = two.mix(0) - two.excerpt(0).sum(axis=0)
    assert np.allclose(left, noise, atol=1e-4) and np.abs(noise).max() > 0.01
    assert build("wham", folder, rate=8000, mix="mix_single").labels == ["noise", "s1"]


def test_wham_is_found_in_both_rates_and_lengths(tmp_path):
    for wav, mode, rate in (("wav16k", "max", 16000), ("wav8k", "min", 8000)):
        layouts.wham(tmp_path, wav, mode)
        data = build("wham", tmp_path, rate=rate, mode=mode)
        assert (data.rate, data.tracks[0].sample_rate) == (rate, rate)
    assert build("wham", tmp_path, rate=16000, wav="wav8k").tracks[0].sample_rate == 8000


# what is not there


@pytest.mark.parametrize("name", FOUND)
def test_an_empty_folder_says_what_was_expected(tmp_path, name):
    with pytest.raises(
        UserError, match="no tracks of .*, split 'train': expected .*; found an empty folder"
    ):
        build(name, tmp_path, rate=8000)


@pytest.mark.parametrize("name", [name for name, kind in DATASETS.items() if kind.download])
def test_an_empty_folder_says_what_downloads_a_dataset(tmp_path, name):
    with pytest.raises(UserError, match="found an empty folder; python -m scripts.prepare") as one:
        DATASETS[name](tmp_path, "train", RATE, 1, PARAMS)
    path = re.search(r"-p (data_prep/\S+\.yml) downloads it$", str(one.value))[1]
    assert config.load(PROJECT / path).prepare.downloads


@pytest.mark.parametrize("name", [name for name in FOUND if name != "remix_packs600"])
def test_a_folder_too_high_or_too_low_gets_the_right_one_named(layout, tmp_path, name):
    inner = layouts.write(name, tmp_path / "outer" / "inner")
    with pytest.raises(UserError, match=rf"did you mean folder: {inner}\?"):
        build(name, tmp_path / "outer", rate=8000)


def test_a_folder_that_is_not_there_is_reported_with_its_nearest_neighbour(layout):
    folder = layout("musdb18")
    with pytest.raises(UserError, match="found no such folder; .*; did you mean 'musdb18'"):
        build("musdb18", folder.parent / "musbd18" / "x")


def test_compressed_stems_are_reported_how_to_be_decoded(tmp_path):
    (tmp_path / "train").mkdir()
    (tmp_path / "train" / "Song.stem.mp4").write_bytes(b"x")
    with pytest.raises(
        UserError,
        match="1 compressed files .Song.stem.mp4.*scripts.prepare -p data_prep/musdb18/stems.yml",
    ):
        build("musdb18", tmp_path)


def test_mir1k_has_no_validation_part_unless_singers_are_named(layout):
    with pytest.raises(UserError, match="no validation part; name its singers"):
        build("mir1k", layout("mir1k"), "val", val_singers=None)
    with pytest.raises(UserError, match="no singer 'bugg'; did you mean 'bug'. there are abjones"):
        build("mir1k", layout("mir1k"), "val", val_singers=["bugg"])
    names = [track.name for track in build("mir1k", layout("mir1k"), "test").tracks]
    assert names == ["khair_1_01", "leon_2_01"]


def test_an_unknown_split_gets_the_nearest_one(layout):
    with pytest.raises(UserError, match="split is 'tset'; did you mean 'test'. MUSDB18 has train"):
        build("musdb18", layout("musdb18"), "tset")


# stems that are missing


def test_a_missing_stem_is_reported_or_left_out_or_silent(copy, caplog):
    folder = copy("musdb18")
    (folder / "train" / "Aimee Norwich - Child" / "bass.wav").unlink()
    with pytest.raises(
        UserError,
        match="Aimee Norwich - Child: no bass; add it, or choose missing: skip or silence",
    ):
        build("musdb18", folder)
    assert [t.name for t in build("musdb18", folder, missing="skip").tracks] == [
        "A Classic Education - NightOwl"
    ]
    assert "left out for lack of stems: 1 of 2 tracks" in caplog.text
    silent = build("musdb18", folder, missing="silence").excerpt(1)
    assert not silent[0].any() and all(source.any() for source in silent[1:])


def test_a_song_that_has_no_stem_at_all_is_named(copy):
    folder = copy("musdb18")
    place = folder / "train" / "Aimee Norwich - Child"
    for path in place.glob("*.wav"):
        path.rename(path.with_name(path.name.capitalize()))
    message = "Child: has none of .*bass.*, in small letters; found Bass.wav, Drums.wav"
    with pytest.raises(UserError, match=message):
        build("musdb18", folder)
    assert len(build("musdb18", folder, missing="skip")) == 1


def test_a_stem_of_slakh_that_is_listed_and_not_there_follows_the_policy(copy):
    folder = copy("slakh2100")
    (folder / "train" / "Track00002" / "stems" / "S03.flac").unlink()
    assert [t.name for t in build("slakh2100", folder).tracks] == ["Track00001"]
    with pytest.raises(UserError, match="Track00002: stems S03 are in metadata.yaml but not in"):
        build("slakh2100", folder, missing="error")
    assert not build("slakh2100", folder, missing="silence").excerpt(1)[3].any()  # piano


def test_a_speech_mixture_without_one_of_its_signals_is_reported(copy):
    folder = copy("wsj0_2mix")
    name = "01to0300_2.3106_20do010w_-2.3106.wav"
    (folder / "wav8k" / "min" / "tr" / "s2" / name).unlink()
    with pytest.raises(UserError, match="tr/s2: no 01to0300_.*.wav, which other folders beside"):
        build("wsj0_2mix", folder, rate=8000)


def test_a_mixture_that_is_asked_for_and_not_there_is_reported(copy):
    with pytest.raises(UserError, match="sång 0: no file for it in 'mix'; add it, or write"):
        build("stem_folder", copy("stem_folder"), mixture="file")
    folder = copy("musdb18")
    (folder / "train" / "Aimee Norwich - Child" / "mixture.wav").unlink()
    with pytest.raises(UserError, match="no mixture.wav; add it, or write mixture: sum"):
        build("musdb18", folder, mixture="file")


# Slakh's duplicates


def test_tracks_that_redux_omits_are_left_out(layout, tmp_path):
    (tmp_path / "redux.json").write_text(
        '{"Track00001": {"action": "omit", "source_split": "train"}, "Track00002": '
        '{"action": null}}'
    )
    data = build("slakh2100", layout("slakh2100"), redux=str(tmp_path / "redux.json"))
    assert [track.name for track in data.tracks] == ["Track00002"]
    assert data.published["train"] == 1289
    with pytest.raises(UserError, match="redux: .*nowhere.json is not the publisher's redux.json"):
        build("slakh2100", layout("slakh2100"), redux="nowhere.json")


def test_a_song_of_mir1k_is_one_of_a_singers(layout):
    data = build("mir1k", layout("mir1k"))
    songs = {track.name: track.song for track in data.tracks}
    assert songs == {"abjones_1_01": "abjones_1", "amy_2_01": "amy_2"}


@pytest.mark.parametrize("count", [3, 8, 15, 24])
def test_each_split_has_its_fraction_of_the_names_rounded(count):
    names = [f"name {number}" for number in range(count)]
    parts = split_names(names, {"val": 0.1, "test": 0.2}, seed=1)
    sizes = {split: len(part) for split, part in parts.items()}
    val, test = round(0.1 * count), round(0.2 * count)
    assert sizes == {"train": count - val - test, "val": val, "test": test}
    assert sorted(sum(parts.values(), [])) == sorted(names)


def test_a_song_of_slakh_is_its_midi_file(layout):
    assert build("slakh2100", layout("slakh2100")).tracks[0].song == "1a81ae0928842train0"


def test_metadata_that_is_none_is_reported(copy):
    folder = copy("slakh2100")
    (folder / "train" / "Track00001" / "metadata.yaml").write_text("stems: 3")
    with pytest.raises(UserError, match="Track00001/metadata.yaml: not Slakh's metadata"):
        build("slakh2100", folder)


# own stems, and Scaper


def test_a_folder_a_track_is_found_too_and_its_mix_is_the_mixture(tmp_path):
    for name in ("one", "two"):
        for stem, sound in stems("train", 0, RATE, 1).items():
            layouts.save(tmp_path / name / f"{stem}.flac", 0.5 * sound, RATE)
        layouts.save(tmp_path / name / "mix.wav", sound, RATE)
    data = build("stem_folder", tmp_path, layout="tracks")
    assert data.labels == ["bass", "drums", "other", "vocals"] and data.mixture == "file"
    assert np.array_equal(
        data.mix(0),
        soundfile.read(tmp_path / "one" / "mix.wav", dtype="float32", always_2d=True)[0].T,
    )
    summed = build("stem_folder", tmp_path, layout="tracks", mixture="sum")
    assert np.array_equal(summed.mix(0), summed.excerpt(0).sum(axis=0))


def test_events_of_one_label_are_one_source(copy):
    folder = copy("scaper")
    path = folder / "train" / "soundscape0.jams"
    path.write_text(
        path.read_text()
        .replace('"siren"', '"street"')
        .replace("foreground0_siren", "foreground0_street")
    )
    events = folder / "train" / "soundscape0_events"
    (events / "foreground0_siren.wav").rename(events / "foreground0_street.wav")
    with pytest.raises(UserError, match="soundscape0: no siren; add it, or choose missing"):
        build("scaper", folder)
    data = build("scaper", folder, groups={"street": ["street"]}, missing="skip")
    assert np.allclose(data.excerpt(0)[0], data.mix(0), atol=1e-4)


def test_isolated_events_that_are_wrong_are_reported(copy):
    folder = copy("scaper")
    path = folder / "train" / "soundscape0.jams"
    whole = path.read_text()
    path.write_text(whole.replace('"label": "siren"', '"label": "dog"'))
    with pytest.raises(UserError, match="the event 'dog' has the file foreground0_siren.wav"):
        build("scaper", folder)
    path.write_text(whole.replace('"isolated_events_audio_path"', '"none"'))
    with pytest.raises(UserError, match="has no isolated events; generate the soundscape with"):
        build("scaper", folder)
    path.write_text("{")
    with pytest.raises(UserError, match="soundscape0.jams: not a jams file of Scaper"):
        build("scaper", folder)
    path.write_text(whole)
    (folder / "train" / "soundscape0_events" / "background0_street.wav").unlink()
    with pytest.raises(UserError, match="names /somewhere/else/.*street.wav, which exists"):
        build("scaper", folder)
