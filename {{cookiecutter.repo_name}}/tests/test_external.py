"""External, the stems that another program wrote, and the SDR that others print."""

import re

import museval
import numpy as np
import pytest
import soundfile

import config
import experiment
from algorithms import External, baselines
from compat import nussl
from errors import UserError
from evaluation import sdr_v3

RATE, LENGTH = 16000, 16000
STEMS = {"vocals": "vocals", "accompaniment": "no_vocals"}


@pytest.fixture
def songs(tmp_path):
    """Two songs of noise as a dataset, and what another program made of them: 0.1 of the other
    source is left in each estimate, 20 dB below it."""
    rng = np.random.default_rng(0)
    for name in ("one", "two"):
        sounds = dict(zip(sorted(STEMS), 0.1 * rng.standard_normal((2, LENGTH)), strict=True))
        for label, sound in sounds.items():
            other = sum(s for key, s in sounds.items() if key != label)
            save(tmp_path / "data" / "test" / label / f"{name}.wav", sound)
            save(tmp_path / "theirs" / name / f"{STEMS[label]}.wav", sound + 0.1 * other)
    return tmp_path


def save(path, sound, rate=RATE):
    path.parent.mkdir(parents=True, exist_ok=True)
    soundfile.write(path, sound, rate, subtype="FLOAT")


def scorer(place, **args):
    settings = config_of(place, **args)
    experiment.check(settings)
    return experiment.build_scorer(settings)


def config_of(place, **args):
    args = {"folder": str(place / "theirs"), "sources": STEMS, **args}
    plain = {
        "info": {"name": "theirs", "output_folder": str(place / "out")},
        "datasets": {"test": {"class": "StemFolder", "args": {"folder": str(place / "data")}}},
        "algorithm": {"class": "External", "args": args},
        "evaluate": {"metrics": ["usdr"]},
    }
    return config.Config.model_validate(plain)


def test_stems_of_another_program_are_scored_in_the_order_of_their_labels(songs):
    found = scorer(songs).score(0)
    rows = {row["source"]: row for row in found["rows"] if row["method"] == "External"}
    for row in rows.values():
        assert row["snr"] == pytest.approx(20, abs=0.3) and row["usdr"] == pytest.approx(
            20, abs=0.3
        )
        assert row["si_sdr_improvement"] == pytest.approx(20, abs=0.5)


def test_swapped_files_score_as_swapped(songs):
    """Sources that are named are not matched to the references that they fit best."""
    swapped = {"vocals": "no_vocals", "accompaniment": "vocals"}
    rows = scorer(songs, sources=swapped).score(0)["rows"]
    assert all(row["si_sdr"] < -15 for row in rows if row["method"] == "External")


def test_another_layout_of_the_files_is_a_pattern(songs):
    for name in ("one", "two"):
        for stem in STEMS.values():
            before = songs / "theirs" / name / f"{stem}.wav"
            data, rate = soundfile.read(before)
            after = songs / "flat" / f"{name}_({stem}).flac"
            after.parent.mkdir(exist_ok=True)
            soundfile.write(after, data, rate, subtype="PCM_24")
    given = scorer(songs, folder=str(songs / "flat"), files="<item>_(<source>)")
    assert "rows" in given.score(1)


@pytest.mark.parametrize(
    ("args", "message"),
    [
        ({"files": "one/<source>"}, "files: 'one/<source>' has no <item>, so that one file"),
        ({"files": "<item>/vocals"}, "files: '<item>/vocals' has no <source>"),
        ({"files": "vocals"}, "files: 'vocals' has no <item> and no <source>"),
        (
            {"sources": {"vocals": "vocals", "accompaniment": "vocals"}},
            "sources: 'vocals' is the file of vocals and of accompaniment; name one for each",
        ),
    ],
)
def test_files_that_would_be_read_for_several_items_or_sources_are_refused(songs, args, message):
    with pytest.raises(UserError, match=re.escape(f"algorithm.args.{message}")):
        scorer(songs, **args).score(0)


def test_missing_longer_shorter_and_other_rate_files_are_each_said_in_one_message(songs):
    place = songs / "theirs" / "one"
    sound = soundfile.read(place / "vocals.wav")[0]
    expected = {
        "is missing": lambda path: path.unlink(),
        "is 5 samples longer than the mixture (16000)": lambda p: save(p, np.pad(sound, (0, 5))),
        "is 7 samples shorter than the mixture (16000)": lambda p: save(p, sound[:-7]),
        "has 44100 Hz, the mixture 16000": lambda p: save(p, sound, 44100),
        "has 2 channels, the mixture 1": lambda p: save(p, np.stack([sound, sound], 1)),
    }
    given = scorer(songs)
    for text, spoil in expected.items():
        spoil(place / "vocals.wav")
        (failed,) = [given.score(0)["failed"]]
        assert text in failed and "vocals.wav" in failed and failed.startswith("one: ")
        assert "rows" in given.score(1)  # the others are scored
    (place / "no_vocals.wav").unlink()
    assert "2 channels" in given.score(0)["failed"] and "missing" in given.score(0)["failed"]


def test_two_files_of_one_stem_and_a_missing_folder_are_refused(songs):
    sound = np.zeros(LENGTH)
    soundfile.write(songs / "theirs" / "one" / "vocals.flac", sound, RATE)
    assert "one file is expected" in scorer(songs).score(0)["failed"]
    with pytest.raises(UserError, match="there is no such folder"):
        scorer(songs, folder=str(songs / "nowhere")).score(0)


def test_scores_of_stems_that_were_replaced_are_not_resumed(songs):
    settings, data = config_of(songs), scorer(songs).data
    before = experiment.identity(settings, data)
    assert experiment.identity(settings, data) == before
    sound = soundfile.read(songs / "theirs" / "one" / "vocals.wav")[0]
    save(songs / "theirs" / "one" / "vocals.wav", 0.5 * sound)
    assert experiment.identity(settings, data) != before


def test_labels_that_the_data_do_not_have_are_refused_before_anything_is_scored(songs):
    with pytest.raises(config.ConfigError, match="External gives vocals, drums"):
        scorer(songs, sources={"vocals": "vocals", "drums": "drums"})


def test_a_recording_has_no_stems_of_another_program():
    mix = nussl.AudioSignal(audio_data_array=np.ones((1, 100)), sample_rate=RATE)
    with pytest.raises(UserError, match="it cannot separate recordings"):
        External(mix, "x", STEMS)()
    assert "External" not in baselines()


# ---- the SDR of papers on speech ----------------------------------------------------------------


def test_sdr_v3_is_musevals_of_sources_over_the_whole_signal():
    rng = np.random.default_rng(1)
    references = rng.standard_normal((2, 1, 6000))
    estimates = references + 0.3 * references[::-1] + 0.1 * np.roll(references, 9, axis=-1)
    theirs = museval.metrics.bss_eval(
        references.transpose(0, 2, 1),
        estimates.transpose(0, 2, 1),
        window=np.inf,
        hop=np.inf,
        bsseval_sources_version=True,
    )[0][:, 0]
    ours = [sdr_v3(e, r) for e, r in zip(estimates, references, strict=True)]
    assert np.abs(ours - theirs).max() < 1e-4


@pytest.mark.parametrize("level", [-10, 0, 25])
def test_sdr_v3_forgives_a_filter_and_counts_the_rest(level):
    """A copy that is delayed and halved, and a rest that begins when the copy has died away, so
    that no filter of 512 taps reaches it. Of a channel at `level` and one at 0 dB: their mean."""
    rng = np.random.default_rng(2)
    reference, rest = np.zeros((2, 8000)), np.zeros((2, 8000))
    reference[:, :4000] = rng.standard_normal((2, 4000))
    rest[:, 5000:] = rng.standard_normal((2, 3000))
    copy = 0.5 * np.roll(reference, 20, axis=1)
    for channel, decibels in enumerate((level, 0)):
        ratio = np.square(copy[channel]).sum() / np.square(rest[channel]).sum()
        rest[channel] *= np.sqrt(ratio) * 10 ** (-decibels / 20)
    estimate = copy + rest
    assert sdr_v3(estimate[:1], reference[:1]) == pytest.approx(level, abs=1e-4)
    assert sdr_v3(estimate, reference) == pytest.approx(level / 2, abs=1e-4)
    assert sdr_v3(0 * estimate, reference) == -np.inf
    assert np.isnan(sdr_v3(estimate, 0 * reference))


def test_sdr_v3_of_a_tone_of_which_almost_all_bands_are_empty():
    time = np.arange(16000) / 16000
    tone, other = np.sin(2 * np.pi * 500 * time), np.sin(2 * np.pi * 3000 * time)
    fade = np.hanning(16000)
    score = sdr_v3((0.5 * tone + 0.05 * other)[None] * fade, tone[None] * fade)
    assert score == pytest.approx(20, abs=0.1)
