"""The sections about data: what is trained on, how data is prepared and audited."""

from __future__ import annotations

import re
from typing import Annotated

from pydantic import AfterValidator, Field
from pydantic_core import PydanticCustomError

from .fields import Component, Count, Range, Section, Share, Split, Text


class PitchShift(Section):
    """How far and how often excerpts are transposed."""

    semitones: Range = Field(description="[lowest, highest], drawn evenly")
    probability: Share = Field(1.0, description="of an excerpt to be transposed")


class TimeStretch(Section):
    """How much and how often the speed of excerpts is changed, at the same pitch."""

    speed: Range = Field(description="[slowest, fastest], 1 being as it is; drawn evenly")
    probability: Share = Field(1.0, description="of an excerpt to be stretched")


class Augment(Section):
    """What is done to the stretches that are trained on."""

    incoherent: Share = Field(
        0.0, description="probability that the sources of an excerpt are of different tracks"
    )
    silence_db: float | None = Field(
        None,
        le=0,
        description="draw another stretch, up to ten times, while a source's level (RMS, in dB of "
        "full scale) is below; null: any stretch",
    )
    gain_db: Range | None = Field(
        None, description="[least, most]: each source's gain in dB, drawn evenly; null: none"
    )
    snr_db: Range | None = Field(
        None,
        description="[least, most]: sources are brought to one level, then each by so many dB "
        "above it, drawn evenly; null: their own levels",
    )
    swap_channels: Share = Field(0.0, description="probability of a source's left being its right")
    flip_polarity: Share = Field(0.0, description="probability of a source's sign being changed")
    pitch_shift: PitchShift | None = Field(
        None, description="{semitones: [-2, 2], probability: 0.5}; null: none"
    )
    time_stretch: TimeStretch | None = Field(
        None, description="{speed: [0.9, 1.1], probability: 0.5}; null: none"
    )


class TrainingData(Component):
    """What is learnt from."""

    augment: Augment | None = Field(
        None, description="what is done to the stretches that are trained on; null: nothing"
    )


def _web_address(text: str) -> str:
    if not re.match(r"https?://[^/\s]+", text):
        raise PydanticCustomError(
            "plain",
            "found {text}; write a web address (http or https); a file that is here already goes "
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

    file: Text = Field(description="what the file is called in the folder `archives`")
    urls: list[Annotated[str, AfterValidator(_web_address)]] = Field(
        default_factory=list, description="where to get it: mirrors, the first that works is taken"
    )
    sha256: Annotated[str, AfterValidator(_digest)] | None = Field(
        None, description="what the file must have; null: it is not checked, only told"
    )


class Prepare(Section):
    """How a dataset is got and converted."""

    license: Text = Field(description="under which conditions one may have the data, and from whom")
    folder: Text = Field(description="the folder to make, for `folder` in the args of a dataset")
    source: Text | None = Field(
        None,
        description="where archives are unpacked, or a copy lies, and steps read; null: `folder`",
    )
    archives: Text = Field("cache/archives", description="where archives are, or downloaded to")
    downloads: list[Download] = Field(
        default_factory=list, description="what is got and unpacked, [{file, urls, sha256}]"
    )
    steps: list[Component] = Field(
        default_factory=list, description="classes of preparation/, each {class: ..., args: {...}}"
    )


class Audit(Section):
    """What is looked for in the data, and from where on it is told."""

    splits: list[Split] | None = Field(None, description="which datasets; null: all of them")
    num_items: Count | None = Field(
        None, description="only so many of each, spread evenly over the dataset; null: all"
    )
    output_folder: Text | None = Field(
        None, description="the folder for the report; null: audit in info.output_folder"
    )
    silence_db: float = Field(
        -60.0, le=0, description="a source below this level (RMS, in dB of full scale) is silent"
    )
    clipped_samples: Count = Field(
        10, description="so many samples in a row at the highest value of a file are clipped"
    )
    residual_db: float = Field(
        -30.0,
        le=0,
        description="mixture minus sources is reported above this level, in dB against the mixture",
    )
    similarity: float = Field(
        0.25,
        gt=0,
        le=1,
        description="two tracks that share so much of their fingerprints are the same recording",
    )
