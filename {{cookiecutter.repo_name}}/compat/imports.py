"""Makes ``import nussl`` work with current versions of other libraries.

Names that these libraries have removed are added while nussl is imported, and removed afterwards:
the rest of the process sees the libraries unmodified.
"""

import contextlib
import functools
import importlib
import importlib.util
import sys
import warnings
from collections.abc import Callable, Iterator, Mapping, Sequence
from types import ModuleType
from typing import Any

VERSION = "1.1.9"


def import_nussl() -> Any:
    """Import nussl although ``import nussl`` alone fails.

    Raises:
        ImportError: nussl is not installed, or it was imported before.
    """
    if "nussl" in sys.modules:
        raise ImportError(
            "nussl was imported before compat, so it is not repaired. Import it in no other way "
            "than `from compat import nussl`."
        )
    if not _installed("nussl"):
        raise ImportError(
            f"nussl {VERSION} is not installed here: run `make install`, then use its python."
        )
    with contextlib.ExitStack() as stack:
        for patch in (
            _ignore_escape_warnings,
            _scipy_docstrings,
            _scipy_windows,
            _musdb,
            _audioread,
            _sharded_optimizers,
            _ignite_contrib,
            _soxbindings,
            _rarely_used,
        ):
            stack.enter_context(patch())
        nussl = importlib.import_module("nussl")
    if nussl.__version__ != VERSION:
        warnings.warn(
            f"the repairs in compat are for nussl {VERSION}; "
            f"this is nussl {nussl.__version__}, which they may not fit",
            stacklevel=4,
        )
    return nussl


@contextlib.contextmanager
def _ignore_escape_warnings() -> Iterator[None]:
    r"""In Python 3.12 ``\s`` in a docstring (ml/train/closures.py:153) is a SyntaxWarning, which is
    an error with ``-W error``.
    """
    with warnings.catch_warnings():
        warnings.filterwarnings("ignore", message=r".*invalid escape sequence")
        yield


@contextlib.contextmanager
def _scipy_docstrings() -> Iterator[None]:
    """scipy parses the docstrings of 800 functions during import to add a note about arrays of
    other libraries. This is skipped, as it takes a third of the time of importing ``scipy.signal``.
    """
    array_api = importlib.import_module("scipy._lib._array_api")
    parser = vars(array_api).get("FunctionDoc")
    if parser is None:  # another version of scipy
        yield
        return
    vars(array_api)["FunctionDoc"] = _Docstring
    try:
        yield
    finally:
        vars(array_api)["FunctionDoc"] = parser


class _Docstring(dict[str, list[str]]):
    """A replacement of scipy's FunctionDoc that returns the docstring unmodified."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(Notes=[])
        self.text = function.__doc__ or ""

    def __str__(self) -> str:
        return f"\n{self.text}"


@contextlib.contextmanager
def _scipy_windows() -> Iterator[None]:
    """scipy 1.13 moved ``scipy.signal.hann`` to ``scipy.signal.windows.hann``; likewise hamming and
    blackman.

    core/constants.py:27,29,30 only reads their ``__name__`` during import.
    """
    import scipy.signal

    moved = [name for name in ("hamming", "hann", "blackman") if not hasattr(scipy.signal, name)]
    for name in moved:
        setattr(scipy.signal, name, getattr(scipy.signal.windows, name))
    try:
        yield
    finally:
        for name in moved:
            delattr(scipy.signal, name)


@contextlib.contextmanager
def _musdb() -> Iterator[None]:
    """Without ffmpeg and ffprobe on PATH, musdb (through stempeg) raises RuntimeError when
    imported.

    nussl/__init__.py:18 handles that, museval (evaluation/bss_eval.py:2) does not. Only MUSDB's
    .stem.mp4 files need ffmpeg; reading them is an error that says so.
    """
    try:
        importlib.import_module("musdb")
        stand_in = {}
    except RuntimeError:
        stand_in = {
            "musdb": _Missing(
                "musdb",
                "reading MUSDB's .stem.mp4 files needs ffmpeg and ffprobe on PATH: install ffmpeg",
            )
        }
    with _in_sys_modules(stand_in):
        yield


@contextlib.contextmanager
def _audioread() -> Iterator[None]:
    """librosa 1.0 no longer requires audioread, with which core/audio_signal.py:7 measures files
    that soundfile cannot read.
    """
    stand_in = {}
    if not _installed("audioread"):
        stand_in["audioread"] = _Missing(
            "audioread",
            "soundfile cannot read this file: convert it to .wav or .flac",
        )
    with _in_sys_modules(stand_in):
        yield


@contextlib.contextmanager
def _sharded_optimizers() -> Iterator[None]:
    """ignite.handlers.checkpoint imports torch.distributed.optim, and with it FSDP and sympy, to
    recognise a ZeroRedundancyOptimizer. That takes as long as importing torch itself. Its class
    Checkpoint, which is not used here, gets a placeholder instead.
    """
    stand_in = {}
    if "torch.distributed.optim" not in sys.modules and "ignite" not in sys.modules:
        module = ModuleType("torch.distributed.optim")
        vars(module)["ZeroRedundancyOptimizer"] = type("ZeroRedundancyOptimizer", (), {})
        stand_in[module.__name__] = module
    with _in_sys_modules(stand_in):
        importlib.import_module("ignite.handlers")
    yield


@contextlib.contextmanager
def _ignite_contrib() -> Iterator[None]:
    """``ignite.contrib.handlers`` (ml/train/trainer.py:9) is a deprecated alias in pytorch-ignite;
    0.5.5 still has it.
    """
    stand_in = {}
    if not _installed("ignite.contrib.handlers"):
        stand_in["ignite.contrib"] = ModuleType("ignite.contrib")
        stand_in["ignite.contrib.handlers"] = importlib.import_module("ignite.handlers")
    with _in_sys_modules(stand_in):
        yield


@contextlib.contextmanager
def _soxbindings() -> Iterator[None]:
    """soxbindings has no wheels for Python 3.10 and later, and pysox prints a warning if there is
    no sox program.

    core/effects.py:28 imports one of them, but only time_stretch and pitch_shift use it. pysox,
    which has the same functions, is imported when one of these is called.
    """

    def pysox(_: str) -> ModuleType:
        if not _installed("sox"):
            raise ImportError(
                "sox is not available: `pip install sox`, and install the sox program."
            )
        return importlib.import_module("sox")

    stand_in = {}
    if not _installed("soxbindings"):
        stand_in["soxbindings"] = Deferred("soxbindings", pysox)
    with _in_sys_modules(stand_in):
        yield


@contextlib.contextmanager
def _rarely_used() -> Iterator[None]:
    """Packages that few functions of nussl use and that take a quarter of the time of its import
    (pandas, which museval needs too, zarr, gpytorch, TensorBoard and protobuf). Each is imported on
    first use.
    """

    def museval(name: str) -> ModuleType:
        with _musdb():
            return importlib.import_module(name)

    deferred = [
        Deferred("museval", museval),  # evaluation/bss_eval.py:2
        Deferred("pandas"),  # evaluation/report_card.py:1
        Deferred("termtables"),  # evaluation/report_card.py:3
        Deferred("zarr"),  # datasets/transforms.py:8
        Deferred("numcodecs"),  # datasets/transforms.py:9
        Deferred("jams"),  # datasets/hooks.py:11
        Deferred("gpytorch"),  # ml/unfold/gaussian_mixture.py:4
        Deferred("torch.utils.tensorboard", calls=["SummaryWriter"]),  # ml/train/trainer.py:11
    ]
    with _in_sys_modules(
        {one.__name__: one for one in deferred if one.__name__ not in sys.modules}
    ):
        yield


class Deferred(ModuleType):
    """A module that is imported when one of its attributes is used.

    Args:
        name: of the module.
        load: function(name) that imports it.
        calls: names of functions and classes for which ``from ... import`` must work before the
            module is imported; calling them imports it.
    """

    def __init__(
        self,
        name: str,
        load: Callable[[str], ModuleType] = importlib.import_module,
        calls: Sequence[str] = (),
    ) -> None:
        super().__init__(name)
        self._load = load
        vars(self).update({one: functools.partial(self._call, one) for one in calls})

    def __getattr__(self, name: str) -> Any:
        # attributes that the import system, inspect, and nussl during its import look up
        if name.startswith("__") or sys.modules.get(self.__name__) is self:
            raise AttributeError(f"module {self.__name__!r} has no attribute {name!r} yet")
        return getattr(self._load(self.__name__), name)

    def _call(self, name: str, *args: Any, **kwargs: Any) -> Any:
        return getattr(self._load(self.__name__), name)(*args, **kwargs)


class _Missing(ModuleType):
    """A placeholder for a missing module: using one of its attributes is an error that says what
    to do.
    """

    def __init__(self, name: str, reason: str) -> None:
        super().__init__(name)
        self._reason = reason

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):  # looked up by the import system and by inspect
            raise AttributeError(name)
        raise ImportError(f"{self.__name__}.{name} is not available: {self._reason}.")


@contextlib.contextmanager
def _in_sys_modules(modules: Mapping[str, ModuleType]) -> Iterator[None]:
    """A context in which these modules are in ``sys.modules``."""
    sys.modules.update(modules)
    try:
        yield
    finally:
        for name in modules:
            del sys.modules[name]


def _installed(name: str) -> bool:
    if name in sys.modules:
        return sys.modules[name] is not None
    try:
        return importlib.util.find_spec(name) is not None
    except ModuleNotFoundError:  # its parent package is missing
        return False
