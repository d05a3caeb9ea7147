"""Base classes and field types of the schema."""

from __future__ import annotations

import re
from typing import Annotated, Any, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field
from pydantic_core import PydanticCustomError

from .errors import show

T = TypeVar("T")


class Section(BaseModel):
    """A mapping with a fixed set of keys; values are neither converted nor modified."""

    model_config = ConfigDict(extra="forbid", strict=True, frozen=True, allow_inf_nan=False)


def _pair(values: list[float]) -> list[float]:
    if len(values) != 2 or values[0] > values[1]:
        advice = "; write " + show(values[::-1]) if len(values) == 2 else ""
        raise PydanticCustomError(
            "plain", "must be [min, max], found {values}" + advice, {"values": show(values)}
        )
    return values


def _known_device(name: str) -> str:
    if not re.fullmatch(r"auto|cpu|cuda(:\d+)?|mps", name):
        raise PydanticCustomError(
            "plain",
            "found the unknown device {name}; write auto, cpu, cuda, cuda:0 or mps",
            {"name": repr(name)},
        )
    return name


Device = Annotated[
    str,
    AfterValidator(_known_device),
    Field(
        description="the device: auto (cuda, else mps, else cpu), cpu, cuda, cuda:N or mps",
        json_schema_extra={"pattern": r"^(auto|cpu|cuda(:\d+)?|mps|.*\$\{.*)$"},
    ),
]
Workers = Annotated[
    int, Field(ge=0, description="processes that read data; 0: the main process reads them")
]
Text = Annotated[str, Field(min_length=1)]
Args = dict[str, Any]
Count = Annotated[int, Field(ge=1)]
Seconds = Annotated[float, Field(gt=0)]
Probability = Annotated[float, Field(ge=0, le=1)]
Bounds = Annotated[
    list[T],
    AfterValidator(_pair),
    Field(json_schema_extra={"minItems": 2, "maxItems": 2}),
]
Decibels = Annotated[float, Field(ge=-100, le=100)]
Split = Literal["train", "val", "test"]


class Component(Section):
    """A class by its name, with its arguments."""

    class_name: Text = Field(alias="class", description="the name of the class")
    args: Args = Field(default_factory=dict, description="arguments of the class, by name")
