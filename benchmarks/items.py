"""Test items: snippets of the built-in sample, tracks of a folder of stems, one recorded song."""

import subprocess
from pathlib import Path

import audio
import numpy as np
import stempeg
from compat import nussl
from dataset import Sample, StemFolder

RATE = 16000
PARAMS = nussl.STFTParams(512, 128, "sqrt_hann")
LABELS = ("accompaniment", "vocals")
# 6 seconds of a song of MUSDB18's test set, which the package stempeg contains
SONG = Path(stempeg.__file__).parent / "data/The Easton Ellises - Falcon 69.stem.mp4"
SONG_STREAMS = ("mixture", "drums", "bass", "other", "vocals")


def item_of(name, sources, mix=None, sample_rate=RATE):
    """An item as nussl's datasets give it.

    Args:
        sources: {label: (channels, samples)}.
        mix: (channels, samples); None: the sum of the sources.
    """

    def signal(sound):
        return nussl.AudioSignal(
            audio_data_array=np.array(sound, np.float32), sample_rate=sample_rate
        )

    signals = {label: signal(sound) for label, sound in sorted(sources.items())}
    mix = signal(sum(sources.values()) if mix is None else mix)
    return {"mix": mix, "sources": signals, "metadata": {"name": name}}


def item_at(data, index):
    """The item of a dataset whose mixtures are sums."""
    sounds = dict(zip(data.labels, data.excerpt(index), strict=True))
    return item_of(data.tracks[index].name, sounds)


def evenly_spaced(data, count):
    """Indices of `count` items, or of all if there are fewer; their files exist afterwards."""
    count = min(count, len(data))
    indices = np.linspace(0, len(data) - 1, count).round().astype(int).tolist()
    data.ensure(indices)
    return indices


def of_sample(folder, count, split="test"):
    """Yields items of the built-in sample, whose snippets are kept in `folder`."""
    data = Sample(folder, split, RATE, 1, PARAMS)
    for index in evenly_spaced(data, count):
        yield item_at(data, index)


def of_folder(folder, count, split="test"):
    """Yields (kind, speaker, item) of a folder with train/, val/ and test/, as
    data_prep/debian/songs.yml makes it: what stands before the first and the second "_" of the name
    of a track are its speaker and its kind."""
    data = StemFolder(folder, split, RATE, 1, PARAMS, layout="stems")
    for index in evenly_spaced(data, count):
        speaker, kind, *_ = data.tracks[index].name.split("_")
        yield kind, speaker, item_at(data, index)


def recorded_song():
    """The item of `SONG`: vocals and accompaniment, 16 kHz, mono. It needs ffmpeg."""
    stems = {}
    for number, stem in enumerate(SONG_STREAMS):
        command = ["ffmpeg", "-v", "error", "-i", SONG, "-map", f"0:a:{number}", "-ar", "44100"]
        command += ["-ac", "2", "-f", "f32le", "-"]
        raw = subprocess.run(command, capture_output=True, check=True).stdout
        sound = np.frombuffer(raw, np.float32).reshape(-1, 2).T
        stems[stem] = audio.convert(sound, 44100, RATE, 1)
    length = min(sound.shape[1] for sound in stems.values())
    sources = {
        "vocals": stems["vocals"][:, :length],
        "accompaniment": sum(stems[stem][:, :length] for stem in ("drums", "bass", "other")),
    }
    return item_of("stempeg's excerpt", sources)
