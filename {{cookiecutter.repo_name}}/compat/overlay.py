"""A module that overlays another: its own names first, else the other's."""

from types import ModuleType
from typing import Any


class Overlay:
    """A module with some of its names replaced, for the one module of nussl that is given it.

    ``nussl.x.np = Overlay(np, mat=np.asmatrix)`` changes what ``np.mat`` means inside ``nussl.x``
    and nowhere else: numpy itself stays as it is.
    """

    def __init__(self, module: "ModuleType | Overlay", **names: Any) -> None:
        self.__dict__.update(names, _module=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._module), *self.__dict__})
