"""A module in which some names of another one are replaced."""

from types import ModuleType
from typing import Any


class Overlay:
    """A module with some of its names replaced, to be used by one module of nussl only.

    ``nussl.x.np = Overlay(np, mat=np.asmatrix)`` changes the meaning of ``np.mat`` in ``nussl.x``;
    numpy itself is not changed.
    """

    def __init__(self, module: "ModuleType | Overlay", **names: Any) -> None:
        self.__dict__.update(names, _module=module)

    def __getattr__(self, name: str) -> Any:
        return getattr(self.__dict__["_module"], name)

    def __dir__(self) -> list[str]:
        return sorted({*dir(self._module), *self.__dict__})
