"""WSJ0-mix, mixed from a licensed copy by the published lists."""

import shutil

import layouts
import numpy as np
import pytest

from compat import nussl
from dataset import WSJ0Mix
from errors import UserError
from preparation import MixWSJ0, wsj0

PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")


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


def test_what_is_wrong_with_lists_and_copies_is_reported(wsj):
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


def test_an_empty_list_is_refused(wsj):
    (wsj / "lists" / "mix_2_spk_cv.txt").write_text("")
    with pytest.raises(UserError, match="mix_2_spk_cv.txt: is empty; get it again"):
        MixWSJ0(str(wsj / "lists")).run(wsj / "copy", wsj / "made")
