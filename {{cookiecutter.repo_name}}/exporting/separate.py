"""Separate an audio file: python separate.py song.wav

Needs numpy, onnxruntime and soundfile; model.onnx lies beside this file.
"""

import sys
from pathlib import Path

import numpy as np
import onnxruntime
import soundfile

MODEL = Path(__file__).with_name("model.onnx")
LOUDEST = 1e12  # a peak beyond this is an error of what wrote the audio
MOST_CHANNELS = 64  # of a recording that is shorter than it has channels


def load(path=MODEL):
    """A function (audio, sample_rate) -> {name: source}; audio: (channels, samples), floats."""
    options = onnxruntime.SessionOptions()
    options.log_severity_level = 3  # errors only
    session = onnxruntime.InferenceSession(path, options, providers=["CPUExecutionProvider"])
    facts = session.get_modelmeta().custom_metadata_map
    rate, channels = int(facts["sample_rate"]), facts["num_channels"]
    chunk = float(facts["chunk"])  # seconds; 0: a recording is read as a whole

    def run(mix):
        return session.run(None, {"mixture": mix})[0]

    def separate(audio, sample_rate):
        mix = np.atleast_2d(audio).astype(np.float32)
        length, others = mix.shape[-1], channels != "any" and len(mix) != int(channels)
        check(mix, reads_mono=channels == "any" or others)
        mono = len(mix) == 1
        mix = resample(mix, max(1, round(length * rate / sample_rate)))
        if others:
            mix = np.repeat(mix.mean(axis=0, keepdims=True), int(channels), axis=0)
        sources = in_chunks(run, mix, round(chunk * rate)) if chunk else run(mix)
        if mono:
            sources = sources.mean(axis=1, keepdims=True)
        return dict(zip(facts["sources"].split("\n"), resample(sources, length), strict=True))

    separate.sample_rate = rate
    return separate


def check(mix, reads_mono):
    """Raise a ValueError for audio, (channels, samples), that cannot be separated."""
    if not mix.size:
        raise ValueError("audio has no samples")
    if mix.shape[0] > max(mix.shape[1], MOST_CHANNELS):
        raise ValueError(
            f"audio has the shape {mix.shape}, more channels than samples; channels come first: "
            "transpose it"
        )
    if not np.isfinite(mix).all():
        raise ValueError("audio has samples that are NaN or infinite")
    if np.abs(mix).max() > LOUDEST:
        raise ValueError(f"its peak is {np.abs(mix).max():.3g}, full scale being 1")
    if reads_mono and np.square(mix.mean(axis=0)).mean() < 1e-6 * np.square(mix).mean():
        raise ValueError(
            f"its {len(mix)} channels cancel each other in mono, which the model reads: invert "
            "those of the opposite sign, or give one channel alone"
        )


def in_chunks(run, mix, length):
    """The sources by `run` of chunks of `length` samples, faded into each other over a fifth."""
    samples, overlap = mix.shape[-1], length // 5
    if samples <= length:
        return run(mix)
    count = -(-(samples - overlap) // (length - overlap))
    ramp = np.arange(1, length + 1)
    fade = np.minimum(1, np.minimum(ramp, ramp[::-1]) / overlap).astype(np.float32)
    sources, weights = None, np.zeros(samples, np.float32)
    for start in np.linspace(0, samples - length, count).round().astype(int):
        part = fade * run(mix[:, start : start + length])
        if sources is None:
            sources = np.zeros((*part.shape[:-1], samples), np.float32)
        sources[..., start : start + length] += part
        weights[start : start + length] += fade
    return sources / weights


def resample(audio, length):
    """`audio` (..., samples) with `length` samples, by the Fourier transform of the whole."""
    count = audio.shape[-1]
    if count == length:
        return audio
    spectrum = np.fft.rfft(audio)[..., : length // 2 + 1]
    return np.fft.irfft(spectrum * (length / count), length).astype(np.float32)


def write(path, sound, sample_rate):
    """Write a WAV file of floats, which is complete, or not there if the disk is full."""
    part = path.with_name(".separate.part")
    try:
        soundfile.write(part, sound.T, sample_rate, subtype="FLOAT", format="WAV")
        part.replace(path)
    finally:
        part.unlink(missing_ok=True)


def main(names):
    """Separate the files; return whether one of them failed."""
    try:
        separate = load()
    except Exception as error:  # onnxruntime has many kinds without a common base
        sys.exit(f"error: {MODEL}: cannot be loaded ({error}); copy it again")
    failed, stems = False, set()
    inputs = {Path(name).resolve() for name in names}
    for name in dict.fromkeys(names):
        try:
            audio, sample_rate = soundfile.read(name, dtype="float32", always_2d=True)
            sources = separate(audio.T, sample_rate)
            stem = Path(name).with_suffix("")
            stem = Path(name) if stem in stems else stem  # song.flac after song.wav
            stems.add(stem)
            paths = [stem.with_name(f"{stem.name}.{source}.wav") for source in sources]
            for path in paths:
                if path.resolve() in inputs:
                    raise ValueError(f"it would replace {path}, which is to be separated too")
            for path, sound in zip(paths, sources.values(), strict=True):
                write(path, sound, sample_rate)
                print(path)
        except (OSError, soundfile.SoundFileError, ValueError) as error:
            print(f"error: {name}: cannot be separated ({error})", file=sys.stderr)
            failed = True
    return failed


if __name__ == "__main__":
    if not sys.argv[1:]:
        sys.exit("usage: python separate.py song.wav ...")
    sys.exit(main(sys.argv[1:]))
