"""Songs as records are made: on sampled instruments, arranged and mastered."""

import hashlib
import importlib.util
from itertools import combinations

import numpy as np
import pytest
import soundfile
from fresh_processes import bytes_of, in_a_fresh_process

from compat import nussl
from dataset import Sample
from errors import UserError
from songs import SPLITS, STEMS, arrangement, sampled, snippets
from songs.drums import KITS, LEVELS_AND_PANS
from songs.produced import MIN_SUNG, ProducedSong
from songs.score import Hit, Note
from songs.sound import SAMPLE_RATE, num_samples

PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
installed = pytest.mark.skipif(not sampled.are_installed(), reason=f"needs {sampled.INSTALL}")


# the score


def test_sections_follow_each_other_and_cover_the_song():
    for seed in range(20):
        sections = arrangement.form_of(np.random.default_rng(seed), 40)
        assert sections[0].name == "intro" and sections[0].first == 0
        for before, after in zip(sections, sections[1:], strict=False):
            assert before.last == after.first
        assert sections[-1].first < 40 <= sections[-1].last


def test_an_arranged_song_differs_from_section_to_section_and_stays_in_its_length():
    resting, fills = set(), 0
    for seed in range(8):
        rng = np.random.default_rng(seed)
        score = arrangement.compose_arranged(rng, "train", 84.0)
        bar = 4 * score.beat
        for part, notes in score.parts.items():
            bars = {int(note.start / bar + 0.05) for note in notes}
            if part != "lead" and len(bars) < 0.9 * score.length / bar:
                resting.add(part)
            assert all(note.start >= 0 and 0 < note.velocity <= 1.2 for note in notes)
        fills += sum(hit.drum == "tom2" for hit in score.drums)
        assert score.phrases
    assert resting == {"bass", "chords", "figure"} and fills


def test_a_part_that_rests_leaves_nothing_in_its_section_and_all_outside():
    notes = [Note(float(start), 0.5, 60, 1.0) for start in range(8)]
    left = arrangement._changed(notes, 2.0, 4.0, False, 1.0)
    assert [note.start for note in left] == [0, 1, 4, 5, 6, 7]
    softer = arrangement._changed(notes, 2.0, 4.0, True, 0.5)
    assert [note.velocity for note in softer] == [1, 1, 0.5, 0.5, 1, 1, 1, 1]


def test_a_fill_replaces_what_was_there_and_ends_with_a_crash():
    hits = [Hit(beat / 4, "hat", 0.5) for beat in range(16)]
    filled = arrangement._with_fill(hits, 4.0, 1.0, np.random.default_rng(0))
    first = min(hit.start for hit in filled if hit not in hits)
    assert all(hit.start < first for hit in filled if hit in hits)
    assert filled[-1].drum == "crash" and filled[-1].start == 4.0


# sampled instruments


def test_no_program_serves_two_splits_and_none_is_a_voice():
    programs = {
        split: {p for part in sampled.PROGRAMS for p in sampled.programs_of(part, split)}
        for split in SPLITS
    }
    for one, other in combinations(SPLITS, 2):
        assert not programs[one] & programs[other]
        assert not set(sampled.KIT_PROGRAMS[one]) & set(sampled.KIT_PROGRAMS[other])
    assert not set.union(*programs.values()) & {52, 53, 54, 85, 91}
    assert all(sampled.programs_of(part, split) for part in sampled.PROGRAMS for split in SPLITS)


@installed
@pytest.mark.parametrize("split", SPLITS)
@pytest.mark.parametrize("part", sampled.PROGRAMS)
def test_a_sampled_note_has_unit_power_and_always_sounds_the_same(part, split):
    number = sampled.numbers_of(part)[split][1]
    timbre = sampled.SampledTimbre(number, part)
    assert timbre.program in sampled.programs_of(part, split)
    note = timbre.note(50.3, 0.4)
    assert np.mean(note[: num_samples(0.4)] ** 2) == pytest.approx(1, rel=0.01)
    assert abs(note[-1]) < 1e-3  # faded out
    sampled.SampledTimbre(sampled.numbers_of(part)[split][2], part).note(62, 0.2)
    assert np.array_equal(sampled.SampledTimbre(number, part).note(50.3, 0.4), note)


@installed
def test_a_sampled_note_has_its_pitch():
    sound = sampled.play(73, 69.0, 100, SAMPLE_RATE, 100)  # a flute's a'
    spectrum = np.abs(np.fft.rfft(sound * np.hanning(len(sound)), 1 << 18))
    found = spectrum.argmax() * SAMPLE_RATE / (1 << 18)
    assert found == pytest.approx(440, rel=0.01)


@installed
@pytest.mark.parametrize("split", SPLITS)
def test_a_sampled_kit_has_every_drum(split):
    kit = sampled.SampledKit(KITS[split][0])
    assert set(kit.sounds) == set(LEVELS_AND_PANS) and kit.program in sampled.KIT_PROGRAMS[split]
    assert all(np.abs(sound).max() == pytest.approx(1) for sound in kit.sounds.values())


@pytest.mark.parametrize("missing", ["pretty_midi", "tinysoundfont"])
def test_a_missing_package_is_named_with_the_command_that_installs_it(missing, monkeypatch):
    find = importlib.util.find_spec
    spec = importlib.util.spec_from_file_location("pretty_midi", "pretty_midi.py")
    monkeypatch.setattr(
        importlib.util,
        "find_spec",
        lambda name: None if name == missing else spec if name == "pretty_midi" else find(name),
    )
    sampled.soundfont.cache_clear()
    with pytest.raises(UserError, match=f"{missing}.*{sampled.INSTALL}"):
        sampled.soundfont()


@installed
def test_another_soundfont_is_refused(monkeypatch, tmp_path):
    (tmp_path / sampled.FILE).write_bytes(b"RIFF")
    spec = importlib.util.spec_from_file_location("pretty_midi", tmp_path / "pretty_midi.py")
    find = importlib.util.find_spec
    monkeypatch.setattr(
        importlib.util, "find_spec", lambda name: spec if name == "pretty_midi" else find(name)
    )
    sampled.soundfont.cache_clear()
    found = hashlib.sha256(b"RIFF").hexdigest()
    with pytest.raises(UserError, match=f"{sampled.FILE}: SHA-256 {found}"):
        sampled.soundfont()


# songs


@installed
def test_excerpts_agree_and_the_compressor_turns_all_stems_down_alike():
    song = ProducedSong("test", 1)
    song.threshold, song.ratio = song.threshold / 4, 4.0
    whole, part = song.render(20.0, 4.0), song.render(21.5, 1.0)
    first, count = num_samples(1.5), num_samples(1.0)
    for stem in STEMS:
        assert len(whole[stem]) == num_samples(4.0)
        assert np.allclose(part[stem], whole[stem][first : first + count], atol=1e-9)
    song.ratio = 1.0
    open_ = song.render(20.0, 4.0)
    loud = np.abs(open_["other"]) > 0.3 * np.abs(open_["other"]).max()
    gain = whole["other"][loud] / open_["other"][loud]
    assert gain.max() < 1 and gain.min() > 0.05 and np.ptp(gain) > 0.01
    for stem in ("vocals", "drums", "bass"):
        heard = loud & (np.abs(open_[stem]) > 1e-4)
        ratio = whole[stem][heard] / open_[stem][heard]
        assert np.allclose(ratio, whole["other"][heard] / open_["other"][heard], rtol=1e-6)


@installed
def test_a_song_in_which_a_stem_never_plays_is_silent_there():
    song = ProducedSong("test", 1)
    song.score.drums = []
    song.score.parts = {part: [] for part in song.score.parts}
    stems = song.render(20.0, 1.0)
    assert all(not stems[stem].any() for stem in ("drums", "bass", "other"))
    assert np.isfinite(stems["vocals"]).all()


@installed
def test_excerpts_are_apart_and_sung_and_pause_more_than_in_a_plain_song():
    shares = []
    for number in range(6):
        song, starts = snippets._song("train", number, 0, "produced")
        assert len(set(starts)) == snippets.PER_SONG
        assert (np.diff(starts) >= snippets.SECONDS).all()
        shares += [song.voice_activity(start, snippets.SECONDS) for start in starts]
    assert MIN_SUNG <= min(shares) < 0.5 < max(shares)


@installed
def test_the_same_snippet_has_the_same_bytes_in_another_process(tmp_path):
    code = (
        "import sys; from songs import snippets\n"
        "snippets.render(*sys.argv[1:], 16000, 1, style='produced')"
    )
    assert in_a_fresh_process(code, "30001003", tmp_path / "other") == ""
    snippets.render("30002001", tmp_path, 16000, 1, style="produced")  # another one before
    snippets.render("30001003", tmp_path, 16000, 1, style="produced")
    here = bytes_of(tmp_path / "30001003")
    assert bytes_of(tmp_path / "other" / "30001003") == here and len(here) == 4


@installed
def test_some_songs_are_as_mp3_leaves_them(tmp_path):
    numbers = range(60)
    rates = [ProducedSong("train", number).kilobits for number in numbers]
    assert 10 < sum(rate is not None for rate in rates) < 26
    number = next(number for number in numbers if rates[number] == 128)
    name = snippets.snippet_name("train", number, 2)
    snippets.render(name, tmp_path, SAMPLE_RATE, 2, style="produced")
    song, start = snippets.locate(name, style="produced")
    plain = song.render(start, snippets.SECONDS)
    for stem in STEMS:
        coded, _ = soundfile.read(tmp_path / name / f"{stem}.wav")
        window = np.hanning(len(coded))
        one, other = (
            np.fft.rfft(window * sound.mean(axis=1), 2 * len(sound))
            for sound in (coded, plain[stem])
        )
        assert np.argmax(np.fft.irfft(one * other.conj())) == 0  # in time
        gain = np.vdot(coded, plain[stem]) / np.vdot(coded, coded)
        lost = np.square(gain * coded - plain[stem]).sum() / np.square(plain[stem]).sum()
        assert -45 < 10 * np.log10(lost) < -10
        if stem == "drums":  # LAME's low pass
            highest = np.fft.rfftfreq(2 * len(coded), 1 / SAMPLE_RATE) > 18000
            assert np.abs(one[highest]).mean() < 0.1 * np.abs(other[highest]).mean()


@installed
def test_both_styles_of_the_sample_are_kept_apart(tmp_path):
    plain, produced = (
        Sample(tmp_path, "test", 16000, 1, PARAMS, num_songs=1, style=style)
        for style in ("plain", "produced")
    )
    assert plain.place != produced.place
    sources = produced.excerpt(0)
    assert len(sources) == 2 and all(np.abs(source).max() > 1e-3 for source in sources)
    assert not np.array_equal(sources[0], plain.excerpt(0)[0])


@pytest.mark.parametrize("ratio", [1.0, 2.0, 4.0])
@pytest.mark.parametrize("over_db", [-6, 0, 12])
def test_what_is_over_the_threshold_is_compressed_by_the_ratio(ratio, over_db):
    song = object.__new__(ProducedSong)
    song.threshold, song.ratio = 0.1, ratio
    mixture = np.full((2 * SAMPLE_RATE, 2), 0.1 * 10 ** (over_db / 20))
    gain_db = 20 * np.log10(song._gain(mixture)[SAMPLE_RATE])
    assert gain_db == pytest.approx(-max(over_db, 0) * (1 - 1 / ratio), abs=1e-6)
