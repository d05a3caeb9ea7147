"""RemixPacks600: names of files and folders assign them to stems."""

import layouts
import numpy as np
import pytest
import soundfile
from layouts import SAMPLE_RATE

from compat import nussl
from dataset import RemixPacks600, remix_packs600

PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")


@pytest.mark.parametrize(
    ("name", "stem"),
    [
        ("Lead Vox.wav", "vocals"),
        ("02 KickDrum.mp3", "drums"),
        ("Bass Drum.wav", "drums"),
        ("SynthBass1.wav", "bass"),
        ("808s/x.wav", None),
        ("808/x.wav", "bass"),
        ("Gtr2.wav", "other"),
        ("drums/01.wav", "drums"),
        ("Drums/Vocal chop.wav", "vocals"),
        ("Full Mix.wav", None),
        ("drums/premaster mix.wav", None),
        ("Instrumental.mp3", None),
        ("take 3.wav", None),
        ("a_b-HiHat_3.wav", "other"),
        ("Hi Hat.wav", "drums"),
        ("subaru.wav", None),
    ],
)
def test_a_file_is_taken_for_the_stem_that_its_name_or_folder_says(tmp_path, name, stem):
    if name == "a_b-HiHat_3.wav":
        stem = "drums"  # camel case: hi, hat
    assert remix_packs600._stem_of(tmp_path / name, tmp_path) == stem


def test_several_files_of_a_stem_are_summed_and_shorter_ones_padded(tmp_path):
    folder = layouts.write("remix_packs600", tmp_path / "packs")
    groups = layouts.ARGS.get("remix_packs600", {})
    data = RemixPacks600(folder, "train", SAMPLE_RATE, 2, PARAMS, **groups)
    place = folder / "train" / data.tracks[0].name
    kick = soundfile.read(place / "drums" / "01 Kick.wav", dtype="float32")[0].T
    more = soundfile.read(place / "drums" / "02.mp3", dtype="float32")[0].T
    drums = data.excerpt(0)[1]
    expected = kick.copy()
    expected[:, : more.shape[1]] += more
    assert more.shape[1] < kick.shape[1]
    assert np.allclose(drums[:, : kick.shape[1]], expected, atol=1e-6)
    assert [path.name for path in data.left_out[data.tracks[0].name]] == ["Full Mix.mp3"]


def test_songs_without_split_folders_keep_their_split_when_others_come(tmp_path):
    names = [f"song {i}" for i in range(2000)]
    shares = [
        sum(remix_packs600.split_of(n) == s for n in names) / 2000 for s in ("train", "val", "test")
    ]
    assert np.allclose(shares, [0.8, 0.1, 0.1], atol=0.03)
