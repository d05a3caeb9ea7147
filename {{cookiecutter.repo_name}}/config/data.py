"""The sections about data: what is trained on, how data is prepared and audited."""

from __future__ import annotations

from pydantic import Field

from .fields import Component, Range, Section, Share


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
        lt=0,
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
