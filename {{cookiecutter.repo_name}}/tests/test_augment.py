"""What training excerpts are made of: known beforehand, and the same in every process."""

import dataclasses
import itertools
import pickle
import types

import layouts
import numpy as np
import pytest
import torch
from layouts import SAMPLE_RATE
from trainings import plain_config, trainer_of, write

from compat import nussl
from config.data import Augment
from config.training import Train
from dataset import StemFolder
from errors import UserError
from features import FrontEnd
from training.loading import Excerpts, load
from training.plan import Plan
from training.sampling import ShuffledBatches, Spread

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
LENGTH = 4000


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """Four tracks with the sources a, b and c; sample n of source s in track t is known, and
    channels differ. The first half of track 2's source a is silent."""
    root = tmp_path_factory.mktemp("stems")
    rng = np.random.default_rng(0)
    for track in range(4):
        for number, source in enumerate("abc"):
            sound = rng.uniform(-1, 1, (20000, 2)) * 0.1 * (number + 1)
            if track == 2 and source == "a":
                sound[:10000] = 0
            layouts.save(root / source / f"{track}.wav", sound, RATE, subtype="FLOAT")
    return root


def excerpts(folder, seed=0, channels=2, mixture="sum", **plan):
    data = StemFolder(folder, "train", RATE, channels, PARAMS, mixture=mixture)
    return Excerpts(data, LENGTH, seed, Augment(**plan) if plan else None)


def found(data, sound, label, tracks=range(4), sign=1.0, reverse=False):
    """Where in which track the source `label` sounds like this: (track, start)."""
    for track in tracks:
        whole = data.excerpt(track, labels=[label])[0]
        whole = whole[::-1] if reverse else whole
        for start in np.flatnonzero(np.isclose(whole[0], sign * sound[0, 0], atol=1e-7)):
            excerpt = sign * whole[:, start : start + sound.shape[1]]
            if excerpt.shape == sound.shape and np.allclose(excerpt, sound, atol=1e-6):
                return track, int(start)
    return None


def test_without_a_plan_an_excerpt_is_a_part_of_a_track(folder):
    made = excerpts(folder)
    item = made[3, 1]
    places = {found(made.data, item["sources"][n].numpy(), label) for n, label in enumerate("abc")}
    assert len(places) == 1 and places.pop()[0] == 1
    assert item["name"] == "1" and torch.equal(item["mix"], item["sources"].sum(dim=0))


def test_incoherent_sources_are_of_different_tracks(folder):
    made = excerpts(folder, incoherent=1.0)
    for epoch in range(5):
        item = made[epoch, 1]
        tracks = [found(made.data, item["sources"][n].numpy(), la)[0] for n, la in enumerate("abc")]
        assert tracks[0] == 1 and len(set(tracks)) == 3
        assert item["name"] == " + ".join(map(str, tracks))
        assert torch.allclose(item["mix"], item["sources"].sum(dim=0), atol=1e-6)


def test_excerpts_reach_from_the_first_sample_of_a_track_to_the_last(folder):
    data = excerpts(folder).data
    whole = data.excerpt(1)
    for least, expected in ((True, whole[..., :LENGTH]), (False, whole[..., -LENGTH:])):
        rng = types.SimpleNamespace(integers=lambda count, least=least: 0 if least else count - 1)
        assert np.array_equal(data.draw(1, LENGTH, rng)[1], expected)


@pytest.mark.parametrize("overfit", [None, 2])
def test_validation_is_augmented_only_to_see_if_training_excerpts_are_learnt(folder, overfit):
    loss = dict(a={"class": "L1Loss"})
    settings = Train.model_validate({"loss": loss, "segment": 0.25, "overfit": overfit})
    data = StemFolder(folder, "train", RATE, 2, PARAMS)
    given = settings, FrontEnd(512, 128, "sqrt_hann"), data, data, 0, (0, 1)
    plain, made = (Plan(*given, augment) for augment in (None, Augment(gain_db=[-9, -6])))
    before, after = ([b["mix"] for b in plan.validation_batches()] for plan in (plain, made))
    if overfit is None:
        assert all(map(torch.equal, before, after))
    else:
        trained = itertools.islice(made.training_batches(), overfit)
        assert all(torch.equal(a["mix"], b) for a, b in zip(trained, after, strict=True))
        assert not any(map(torch.equal, before, after))


def test_incoherent_sources_are_of_different_songs(folder):
    """Tracks 1 and 2 are of one song; with one track left, ten draws find it nearly always."""
    made = excerpts(folder, incoherent=1.0)
    songs = dict(zip("0123", "xyyz", strict=True))
    made.data.tracks = [
        dataclasses.replace(track, song=songs[track.name]) for track in made.data.tracks
    ]
    names = [made[epoch, 0]["name"].split(" + ") for epoch in range(30)]
    assert sum({songs[name] for name in each} == {*"xyz"} for each in names) >= 27


def test_half_of_the_excerpts_are_incoherent_if_half_shall_be(folder):
    made = excerpts(folder, incoherent=0.5)
    several = sum(" + " in made[epoch, 0]["name"] for epoch in range(400))
    assert 160 < several < 240  # 4 standard deviations


def test_gains_are_drawn_from_their_range(folder):
    made, plain = excerpts(folder, gain_db=[-6, 3]), excerpts(folder, silence_db=-300)
    gains = []
    for epoch in range(100):
        ratio = made[epoch, 0]["sources"] / plain[epoch, 0]["sources"]
        gains += (20 * ratio.flatten(1).median(dim=1).values.log10()).tolist()
    assert -6 <= min(gains) < -5.5 and 2.5 < max(gains) <= 3.0001
    assert abs(np.mean(gains) + 1.5) < 0.5


def test_an_snr_of_zero_brings_all_sources_to_one_level(folder):
    item = excerpts(folder, snr_db=[0, 0])[0, 0]
    levels = item["sources"].square().mean(dim=(1, 2)).sqrt()
    assert torch.allclose(levels, levels[0].expand(3), rtol=1e-5)


def test_levels_stay_within_the_range_of_the_snr(folder):
    made = excerpts(folder, snr_db=[-5, 5])
    for epoch in range(20):
        levels = 20 * made[epoch, 0]["sources"].square().mean(dim=(1, 2)).sqrt().log10()
        assert levels.max() - levels.min() <= 10.001


def test_the_gain_of_one_source_is_on_top_of_its_level(folder):
    plain = excerpts(folder, snr_db=[0, 0])
    made = excerpts(folder, snr_db=[0, 0], source_gain_db={"b": [-9, -3]})
    gains = []
    for epoch in range(100):
        ratio = made[epoch, 0]["sources"] / plain[epoch, 0]["sources"]
        a, b, c = (20 * ratio.flatten(1).median(dim=1).values.log10()).tolist()
        assert abs(a) < 1e-4 and abs(c) < 1e-4
        gains.append(b)
    assert -9.0001 <= min(gains) < -8.7 and -3.3 < max(gains) <= -2.9999
    assert abs(np.mean(gains) + 6) < 0.6  # 3 standard deviations


def test_a_gain_of_a_source_that_is_not_there_is_refused(tmp_path, sample_folder):
    plain = plain_config(tmp_path, sample_folder)
    plain["datasets"]["train"]["augment"] = {"source_gain_db": {"vocal": [-6, 0]}}
    problem = "source_gain_db: there is no source 'vocal' in the training data; its sources are"
    with pytest.raises(UserError, match=problem):
        trainer_of(write(tmp_path / "wrong.yml", plain))


def test_silent_excerpts_are_avoided(folder):
    plain, made = excerpts(folder), excerpts(folder, silence_db=-30)
    level = [item["sources"][0].square().mean() for item in (plain[e, 2] for e in range(30))]
    assert min(level) == 0
    assert all(made[epoch, 2]["sources"][0].square().mean() > 1e-3 for epoch in range(30))


def test_channels_are_swapped_and_signs_changed(folder):
    made = excerpts(folder, swap_channels=1.0, flip_polarity=1.0)
    sound = made[0, 1]["sources"][1].numpy()
    assert found(made.data, sound, "b", [1], sign=-1, reverse=True) is not None
    signs = [
        found(d.data, d[e, 1]["sources"][1].numpy(), "b", [1]) is None
        for d in [excerpts(folder, flip_polarity=0.5)]
        for e in range(60)
    ]
    assert 15 < sum(signs) < 45


def octave_levels(sound):
    """dB in each octave from 250 Hz, where an excerpt of a quarter of a second has many bins."""
    power = np.square(np.abs(np.fft.rfft(sound * np.hanning(sound.shape[-1]))))
    hertz = np.fft.rfftfreq(sound.shape[-1], 1 / RATE)
    octaves = [power[..., (hertz >= low) & (hertz < 2 * low)] for low in (250, 500, 1000, 2000)]
    return 10 * np.log10([octave.sum(axis=-1) for octave in octaves])


def test_an_equaliser_raises_and_lowers_octaves_within_its_bounds(folder):
    plain, made = excerpts(folder, gain_db=[0, 0]), excerpts(folder, equalizer_db=6.0)
    changes = []
    for epoch in range(20):  # the same excerpts, since nothing is drawn before them
        before, item = plain[epoch, 1]["sources"].numpy(), made[epoch, 1]
        changes.append(octave_levels(item["sources"].numpy()) - octave_levels(before))
        assert torch.equal(item["mix"], item["sources"].sum(dim=0))
        assert item["sources"].dtype == torch.float32 and item["sources"].shape == before.shape
    changes = np.stack(changes)  # (epochs, octaves, sources, channels)
    assert np.abs(changes).max() < 6.5 and changes.max() > 3 and changes.min() < -3
    assert np.abs(changes[..., 0] - changes[..., 1]).mean() < 0.2  # both channels alike
    assert np.abs(changes[:, :, 0] - changes[:, :, 1]).max() > 2  # each source its own


def test_a_low_pass_leaves_nothing_above_its_cutoff_and_all_below_it(folder):
    plain = excerpts(folder, low_pass={"hertz": [16000, 16000]}, gain_db=[0, 0])  # nothing
    made = excerpts(folder, low_pass={"hertz": [2000, 2000]}, gain_db=[0, 0])
    for epoch in range(5):
        before, item = plain[epoch, 1]["sources"].numpy(), made[epoch, 1]
        spectra = [np.abs(np.fft.rfft(s * np.hanning(LENGTH))) for s in (before, item["sources"])]
        hertz = np.fft.rfftfreq(LENGTH, 1 / RATE)
        below, above = hertz < 1900, hertz > 2300
        assert np.abs(spectra[1] - spectra[0])[..., below].max() < 0.02 * spectra[0].max()
        assert spectra[1][..., above].max() < 1e-2 * spectra[0][..., above].mean()
        half_way = np.abs(hertz - 2100) < 10
        down = spectra[1][..., half_way].mean() / spectra[0][..., half_way].mean()
        assert 20 * np.log10(down) == pytest.approx(-30, abs=3)
        assert torch.allclose(item["mix"], item["sources"].sum(dim=0), atol=1e-6)
    sometimes = excerpts(folder, low_pass={"hertz": [500, 4000], "probability": 0.5})
    highest = [
        np.abs(np.fft.rfft(sometimes[epoch, 1]["mix"].numpy()))[..., -100:].mean()
        for epoch in range(40)
    ]
    assert 10 < sum(level > 0.1 for level in highest) < 30


def test_a_room_adds_a_tail_that_decays_as_asked(tmp_path):
    click = np.zeros((LENGTH, 2))
    click[100] = 0.5
    for name in "ab":
        layouts.save(tmp_path / name / "x.wav", click, RATE, subtype="FLOAT")
    data = StemFolder(tmp_path, "train", RATE, 2, PARAMS)
    room = {"rt60": [0.2, 0.2], "wet_db": [-6, -6]}
    levels = []
    for epoch in range(20):
        item = Excerpts(data, LENGTH, 0, Augment(reverb=room))[epoch, 0]
        one, other = tails = item["sources"].numpy() - data.excerpt(0)
        assert torch.equal(item["mix"], item["sources"].sum(dim=0))
        assert not np.array_equal(one, other) and not np.array_equal(one[0], one[1])
        assert np.abs(tails[..., : 100 + RATE // 200]).max() < 1e-7  # nothing for 5 ms
        energy = np.square(tails).sum(axis=-1) / 0.5**2
        assert 10 * np.log10(energy) == pytest.approx(-6, abs=0.1)
        levels.append(
            10 * np.log10(np.square(tails).mean(axis=(0, 1)).reshape(-1, 400).mean(axis=1))
        )
    levels = np.mean(levels, axis=0)[2:]  # a level each 25 ms, the predelay behind us
    slope = np.polyfit(0.025 * np.arange(6), levels[:6], 1)[0]
    assert slope == pytest.approx(-60 / 0.2, rel=0.05)


def test_compressed_sources_stay_in_time_and_add_up_to_the_mixture(tmp_path):
    rng = np.random.default_rng(0)
    noise = np.cumsum(rng.standard_normal((4 * RATE, 2)), axis=0)
    noise = 0.02 * (noise - np.apply_along_axis(np.convolve, 0, noise, np.ones(50) / 50, "same"))
    for name in "ab":
        layouts.save(tmp_path / name / "x.wav", noise * (1 + (name == "b")), RATE, subtype="FLOAT")
    data = StemFolder(tmp_path, "train", RATE, 2, PARAMS)
    errors = []
    for kilobits in (160, 64, 24, 16):
        plan = Augment(mp3={"kilobits": [kilobits, kilobits]})
        item = Excerpts(data, 2 * RATE, 0, plan)[0, 0]
        before = Excerpts(data, 2 * RATE, 0, Augment(gain_db=[0, 0]))[0, 0]["sources"]
        assert torch.allclose(item["mix"], item["sources"].sum(dim=0), atol=1e-6)
        lost = item["sources"] - before
        errors.append(float(10 * torch.log10(lost.square().sum() / before.square().sum())))
        for one, other in zip(item["sources"].numpy(), before.numpy(), strict=True):
            spectra = [np.fft.rfft(sound[0], 4 * RATE) for sound in (one, other)]
            assert np.argmax(np.fft.irfft(spectra[0] * spectra[1].conj())) == 0
    assert errors == sorted(errors) and errors[0] < -15 and errors[-1] > errors[0] + 3


@pytest.mark.parametrize(
    ("rate", "kilobits", "message"),
    [
        (16000, [64, 256], r"found \[64, 256\], but MP3 at 16000 Hz has 8 to 160 kbit/s"),
        (44100, [8, 128], r"found \[8, 128\], but MP3 at 44100 Hz has 32 to 320 kbit/s"),
        (96000, [64, 128], r"MP3 has no sample rate of 96000 Hz; it has 8000, 11025"),
    ],
)
def test_a_bit_rate_that_mp3_does_not_have_is_refused(
    sample_folder, tmp_path, rate, kilobits, message
):
    plain = plain_config(tmp_path, sample_folder)
    plain["signal"] = {"sample_rate": rate}
    plain["datasets"]["train"]["augment"] = {"mp3": {"kilobits": kilobits}}
    with pytest.raises(UserError, match=f"datasets.train.augment.mp3.*{message}"):
        trainer_of(write(tmp_path / "config.yml", plain))


def test_an_equaliser_leaves_a_click_where_it_was(tmp_path):
    click = np.zeros(LENGTH)
    click[LENGTH // 2] = 0.5
    layouts.save(tmp_path / "click" / "x.wav", click, RATE, subtype="FLOAT")
    layouts.save(tmp_path / "other" / "x.wav", click, RATE, subtype="FLOAT")
    data = StemFolder(tmp_path, "train", RATE, 1, PARAMS)
    sound = Excerpts(data, LENGTH, 0, Augment(equalizer_db=12.0))[0, 0]["sources"][0, 0].numpy()
    assert np.abs(sound).argmax() == LENGTH // 2
    around = sound[LENGTH // 2 - 1000 : LENGTH // 2 + 1001]
    assert np.allclose(around, around[::-1], atol=1e-6)


def test_an_equaliser_is_straight_between_octaves_from_62_hertz_on_and_level_below(tmp_path):
    click = np.zeros(2 * RATE)
    click[RATE] = 0.5
    for name in ("click", "other"):
        layouts.save(tmp_path / name / "x.wav", click, RATE, subtype="FLOAT")
    data = StemFolder(tmp_path, "train", RATE, 1, PARAMS)
    item = Excerpts(data, 2 * RATE, 0, Augment(equalizer_db=12.0))[0, 0]
    sound = item["sources"][0, 0].double().numpy()

    def gain_db(hertz):
        wave = np.exp(-2j * np.pi * hertz * np.arange(2 * RATE) / RATE)
        return 20 * np.log10(2 * np.abs(wave @ sound))

    assert gain_db(30) == pytest.approx(gain_db(55), abs=0.1)
    octaves = 62.5 * 2.0 ** np.arange(8)
    for low, high in zip(octaves[:-1], octaves[1:], strict=True):
        third = gain_db(low) + (gain_db(high) - gain_db(low)) / 3
        assert gain_db(low * 2 ** (1 / 3)) == pytest.approx(third, abs=0.2)
    assert abs(gain_db(125) - gain_db(62.5)) > 1  # with this seed


@pytest.mark.slow  # librosa compiles its resampler first
@pytest.mark.parametrize(
    ("plan", "frequency", "beats"),
    [
        ({"pitch_shift": {"semitones": [12, 12]}}, 880, 4),
        ({"time_stretch": {"speed": [1.25, 1.25]}}, 440, 5),
        (
            {"pitch_shift": {"semitones": [-12, -12]}, "time_stretch": {"speed": [0.75, 0.75]}},
            220,
            3,
        ),
    ],
)
def test_pitch_and_speed_change_apart(tmp_path, plan, frequency, beats):
    seconds = np.arange(4 * RATE) / RATE
    tone = 0.2 * np.sin(2 * np.pi * 440 * seconds)
    layouts.save(tmp_path / "steady" / "x.wav", tone, RATE)
    layouts.save(tmp_path / "beating" / "x.wav", tone * (1 + np.sin(2 * np.pi * 4 * seconds)), RATE)
    data = StemFolder(tmp_path, "train", RATE, 1, PARAMS)
    beating, steady = Excerpts(data, 2 * RATE, 0, Augment(**plan))[0, 0]["sources"][:, 0].numpy()

    def peak(sound):
        middle = sound[4000:-4000] * np.hanning(len(sound) - 8000)
        spectrum = np.abs(np.fft.rfft(middle, 4 * RATE))
        return (np.argmax(spectrum[8:]) + 8) / 4  # in Hz, above 2

    assert len(steady) == 2 * RATE
    assert abs(peak(steady) - frequency) < 1
    assert abs(peak(beating**2) - beats) < 0.6


@pytest.mark.parametrize("factor", [0.8, 1.0595, 1.5])
def test_speed_changes_pitch_and_length_alike(tmp_path, factor):
    seconds = np.arange(4 * RATE) / RATE
    for name, hertz in (("low", 440), ("high", 1000)):
        tone = 0.2 * np.sin(2 * np.pi * hertz * seconds)
        layouts.save(tmp_path / name / "x.wav", tone, RATE, subtype="FLOAT")
    data = StemFolder(tmp_path, "train", RATE, 1, PARAMS)
    item = Excerpts(data, 2 * RATE, 0, Augment(speed={"factor": [factor, factor]}))[0, 0]
    assert item["sources"].shape == (2, 1, 2 * RATE)
    assert torch.allclose(item["mix"], item["sources"].sum(dim=0), atol=1e-6)
    for source, hertz in zip(item["sources"][:, 0].numpy(), (1000, 440), strict=True):
        middle = source[4000:-4000]
        expected = hertz * factor
        spectrum = np.abs(np.fft.rfft(middle * np.hanning(len(middle)), 8 * RATE))
        assert np.argmax(spectrum) / 8 == pytest.approx(expected, abs=0.2)
        assert np.sqrt(2 * np.mean(middle**2)) == pytest.approx(0.2, rel=0.01)


def test_what_a_mixture_file_holds_beside_the_sources_stays_in_it(folder, tmp_path):
    import shutil

    shutil.copytree(folder, tmp_path / "x")
    hum = np.full((20000, 2), 0.25)
    for track in range(4):
        layouts.save(tmp_path / "x" / "mix" / f"{track}.wav", hum, RATE, subtype="FLOAT")
    made = excerpts(tmp_path / "x", mixture=None, gain_db=[-3, -3])
    assert made.data.mixture == "file"
    plain = excerpts(folder, gain_db=[-3, -3])[0, 1]
    item = made[0, 1]
    own = excerpts(folder, silence_db=-300)[0, 1]["sources"].sum(dim=0)
    assert torch.allclose(item["sources"], plain["sources"])
    assert torch.allclose(item["mix"] - item["sources"].sum(dim=0), 0.25 - own, atol=1e-5)


EVERYTHING = {
    "incoherent": 0.5,
    "silence_db": -50,
    "snr_db": [-5, 5],
    "source_gain_db": {"b": [-6, 0]},
    "equalizer_db": 6.0,
    "swap_channels": 0.5,
    "flip_polarity": 0.5,
    "pitch_shift": {"semitones": [-2, 2], "probability": 0.5},
    "time_stretch": {"speed": [0.9, 1.1], "probability": 0.5},
    "low_pass": {"hertz": [1000, 8000], "probability": 0.5},
    "speed": {"factor": [0.95, 1.05], "probability": 0.5},
    "reverb": {"rt60": [0.1, 0.3], "probability": 0.5},
    "mp3": {"kilobits": [32, 128], "probability": 0.5},
}


def test_an_excerpt_is_a_function_of_seed_epoch_and_index(folder):
    one, other = excerpts(folder, **EVERYTHING), excerpts(folder, **EVERYTHING)
    keys = [(epoch, index) for epoch in range(3) for index in range(4)]
    first = {key: one[key] for key in keys}
    for key in reversed(keys):  # in another order, from another object
        again = other[key]
        assert torch.equal(again["mix"], first[key]["mix"]) and again["name"] == first[key]["name"]
    assert not torch.equal(excerpts(folder, seed=1, **EVERYTHING)[0, 0]["mix"], first[0, 0]["mix"])
    assert not torch.equal(first[1, 0]["mix"], first[0, 0]["mix"])


def test_it_travels_to_another_process(folder):
    made = excerpts(folder, **EVERYTHING)
    again = pickle.loads(pickle.dumps(made))
    assert torch.equal(again[2, 3]["mix"], made[2, 3]["mix"])


@pytest.mark.slow
@pytest.mark.parametrize("method, count", [("spawn", 1), ("forkserver", 2)])
def test_any_number_of_workers_give_the_same_batches(folder, method, count, monkeypatch):
    made, spread = excerpts(folder, **EVERYTHING), Spread([1] * 4, 4)

    def batches(workers):
        return [
            batch
            for batch, _ in zip(
                load(made, ShuffledBatches(spread, 2, seed=3, first_step=1), workers),
                range(4),
                strict=False,
            )
        ]

    monkeypatch.setattr(
        "multiprocessing.get_context",
        lambda _=None, real=torch.multiprocessing.get_context: real(method),
    )
    none, some = batches(0), batches(count)
    for ours, theirs in zip(none, some, strict=True):
        assert torch.equal(ours["mix"], theirs["mix"]) and ours["name"] == theirs["name"]
        assert torch.equal(ours["sources"], theirs["sources"])


def test_a_batch_holds_the_excerpts_of_its_keys(folder):
    made = excerpts(folder, **EVERYTHING)
    keys = [(0, 2), (0, 0), (0, 1)]
    batch, items = made.__getitems__(keys), [made[key] for key in keys]
    assert batch["name"] == [item["name"] for item in items]
    for part in ("mix", "sources"):
        assert torch.equal(batch[part], torch.stack([item[part] for item in items]))


def test_a_training_that_resumes_sees_the_excerpts_that_it_would_have_seen(folder):
    made = excerpts(folder, **EVERYTHING)

    def batches(first_step, count):
        order = ShuffledBatches(Spread([1] * 4, 4), 2, seed=3, first_step=first_step)
        return [batch for batch, _ in zip(load(made, order, 0), range(count), strict=False)]

    for went_on, at_once in zip(batches(3, 4), batches(0, 7)[3:], strict=True):
        assert torch.equal(went_on["sources"], at_once["sources"])
        assert went_on["name"] == at_once["name"]


def test_files_of_another_rate_and_mono_can_be_augmented_too(tmp_path):
    layouts.write("musdb18", tmp_path / "musdb")
    from dataset import MUSDB18

    data = MUSDB18(tmp_path / "musdb", "train", RATE, 1, PARAMS)
    plan = Augment(**{**EVERYTHING, "source_gain_db": {"vocals": [-6, 0]}})
    item = Excerpts(data, LENGTH, 0, plan)[0, 0]
    assert SAMPLE_RATE != RATE and item["sources"].shape == (4, 1, LENGTH)
    assert item["sources"].dtype == item["mix"].dtype == torch.float32
    assert torch.isfinite(item["mix"]).all()
