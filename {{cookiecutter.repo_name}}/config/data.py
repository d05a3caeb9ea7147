"""Sections about data: training data and their augmentation, preparation, audit."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from .fields import Bounds, Component, Count, Decibels, Probability, Section, Split, Text


class PitchShift(Section):
    """Transposition of training excerpts: how far and how often."""

    semitones: Bounds[Annotated[float, Field(ge=-48, le=48)]] = Field(
        description="[lowest, highest], drawn uniformly"
    )
    probability: Probability = Field(
        1.0, description="the probability that an excerpt is transposed"
    )


class TimeStretch(Section):
    """Changes of the speed of training excerpts at the same pitch: how much and how often."""

    speed: Bounds[Annotated[float, Field(ge=0.1, le=10)]] = Field(
        description="[slowest, fastest], drawn uniformly; 1: unchanged"
    )
    probability: Probability = Field(
        1.0, description="the probability that an excerpt is stretched"
    )


class Speed(Section):
    """Changes of speed and pitch of training excerpts by resampling (speed perturbation): how much
    and how often."""

    factor: Bounds[Annotated[float, Field(ge=0.1, le=10)]] = Field(
        description="[slowest, fastest], drawn uniformly; 1: unchanged, 1.06: a semitone higher"
    )
    probability: Probability = Field(
        1.0, description="the probability that the speed of an excerpt is changed"
    )


class LowPass(Section):
    """Low-pass filtering of training excerpts: how far and how often."""

    hertz: Bounds[Annotated[float, Field(ge=1, le=500_000)]] = Field(
        description="[lowest, highest] cutoff, drawn uniformly in octaves"
    )
    probability: Probability = Field(
        1.0, description="the probability that an excerpt is low-passed"
    )


class Reverb(Section):
    """Reverberation of the sources of training excerpts: how much and how often."""

    rt60: Bounds[Annotated[float, Field(ge=0.05, le=10)]] = Field(
        description="[min, max] reverberation time in seconds (decay by 60 dB)"
    )
    wet_db: Bounds[Decibels] = Field(
        [-20.0, -6.0], description="[min, max] level of the reverberation under the direct sound"
    )
    probability: Probability = Field(
        1.0, description="the probability that a source is reverberated"
    )


class MP3(Section):
    """Compression of the sources of training excerpts: how strongly and how often."""

    kilobits: Bounds[Annotated[float, Field(ge=8, le=320)]] = Field(
        description="[lowest, highest] bit rate of a source in kbit/s, drawn uniformly in octaves"
    )
    probability: Probability = Field(
        1.0, description="the probability that the sources of an excerpt are compressed"
    )


class Augment(Section):
    """The augmentation of training excerpts."""

    incoherent: Probability = Field(
        0.0, description="probability that the sources of an excerpt come from different tracks"
    )
    silence_db: float | None = Field(
        None,
        le=0,
        description="draw another excerpt, up to ten times, if a source's level (RMS, in dB of "
        "full scale) is below this; null: any excerpt",
    )
    gain_db: Bounds[Decibels] | None = Field(
        None, description="[min, max]: each source's gain in dB, drawn uniformly; null: none"
    )
    snr_db: Bounds[Decibels] | None = Field(
        None,
        description="[min, max]: all sources get the same level, then a gain in dB for each is "
        "drawn uniformly; null: their own levels",
    )
    source_gain_db: dict[Text, Bounds[Decibels]] | None = Field(
        None,
        description="{source: [min, max]}: an additional gain in dB for a source, drawn uniformly, "
        "such as {vocals: [-8, 0]} for voices softer than the music; null: none",
    )
    equalizer_db: float | None = Field(
        None,
        gt=0,
        le=24,
        description="each source is filtered by an equaliser whose gains at octaves are drawn "
        "uniformly between minus and plus this number of dB; null: none",
    )
    swap_channels: Probability = Field(
        0.0, description="probability that a source's left and right channel are swapped"
    )
    flip_polarity: Probability = Field(
        0.0, description="probability that a source's sign is flipped"
    )
    pitch_shift: PitchShift | None = Field(
        None, description="{semitones: [-2, 2], probability: 0.5}; null: none"
    )
    time_stretch: TimeStretch | None = Field(
        None, description="{speed: [0.9, 1.1], probability: 0.5}; null: none"
    )
    speed: Speed | None = Field(
        None,
        description="{factor: [0.97, 1.03], probability: 0.5}, by resampling, in a fraction of the "
        "time of the two above; null: none",
    )
    low_pass: LowPass | None = Field(
        None, description="{hertz: [2000, 8000], probability: 0.2}; null: none"
    )
    reverb: Reverb | None = Field(
        None,
        description="{rt60: [0.2, 1.5], probability: 0.3}: a room for each source; the targets "
        "are reverberant too; null: none",
    )
    mp3: MP3 | None = Field(
        None,
        description="{kilobits: [32, 128], probability: 0.2}: each source is encoded and decoded "
        "separately, so that the sources still add up to the mixture; takes about 10 ms for each "
        "second of audio; null: none",
    )


class TrainingData(Component):
    """The training data."""

    augment: Augment | None = Field(
        None, description="the augmentation of training excerpts; null: none"
    )


def _web_address(text: str) -> str:
    if not re.match(r"https?://[^/\s]+", text):
        raise PydanticCustomError(
            "plain",
            "found {text}; write a web address (http or https); put a file that you already have "
            "into the folder 'archives'",
            {"text": repr(text)},
        )
    return text


def _digest(text: str) -> str:
    if not re.fullmatch(r"[0-9a-fA-F]{64}", text):
        raise PydanticCustomError(
            "plain", "found {text}; write 64 hexadecimal digits", {"text": repr(text)}
        )
    return text


class Download(Section):
    """An archive of a dataset."""

    file: Text = Field(description="the name of the file in the folder `archives`")
    urls: list[Annotated[str, AfterValidator(_web_address)]] = Field(
        default_factory=list,
        description="addresses of the file; the first that works is used",
    )
    sha256: Annotated[str, AfterValidator(_digest)] | None = Field(
        None, description="the SHA-256 that the file must have; null: it is printed, not checked"
    )


class Prepare(Section):
    """How a dataset is downloaded and converted."""

    license: Text = Field(
        description="the conditions under which the data may be used, and who states them; shown "
        "before a download"
    )
    folder: Text = Field(description="the folder to create: `folder` in the args of a dataset")
    source: Text | None = Field(
        None,
        description="the folder that archives are unpacked to, or that contains your copy of the "
        "data; the steps read from it; null: `folder`",
    )
    archives: Text = Field(
        "cache/archives", description="the folder of the archives, to which files are downloaded"
    )
    downloads: list[Download] = Field(
        default_factory=list, description="archives to download and unpack, [{file, urls, sha256}]"
    )
    steps: list[Component] = Field(
        default_factory=list, description="classes of preparation/, each {class: ..., args: {...}}"
    )


class Audit(Section):
    """Which data are audited, and the thresholds of its findings."""

    splits: list[Split] | None = Field(None, description="the datasets; null: all of them")
    num_items: Count | None = Field(
        None, description="the number of items of each, spread evenly over the dataset; null: all"
    )
    output_folder: Text | None = Field(
        None, description="the folder for the report; null: audit in info.output_folder"
    )
    silence_db: float = Field(
        -60.0, le=0, description="a source below this level (RMS, in dB of full scale) is silent"
    )
    clipped_samples: Count = Field(
        10, description="this number of samples in a row at a file's peak is reported as clipping"
    )
    residual_db: float = Field(
        -30.0,
        le=0,
        description="mixture minus sources is reported above this level, in dB of the mixture",
    )
    similarity: float = Field(
        0.25,
        gt=0,
        le=1,
        description="two tracks that share at least this fraction of their fingerprints are the "
        "same recording",
    )
