"""The commands: `python -m scripts.train -p experiments/demo.yml` and others."""

import importlib.util
import os
import signal
import sys

STOPPED = "stopped; the same command resumes from what was saved, if anything was"


def _interrupt(number, frame):
    """Ctrl-C: KeyboardInterrupt, but an exit with one line while a module is imported. Libraries
    swallow exceptions there, and fail later because of a module that is only half imported."""
    inner = frame
    while inner is not None and inner.f_code.co_filename != "<frozen importlib._bootstrap>":
        inner = inner.f_back
    if inner is None:
        signal.default_int_handler(number, frame)
    os.write(2, f"{STOPPED}\n".encode())
    os._exit(130)


# a command, not a module that something else imports; nohup and & have it ignored
if sys.argv[0] == "-m" and signal.getsignal(signal.SIGINT) is signal.default_int_handler:
    signal.signal(signal.SIGINT, _interrupt)

NEEDED = ("pydantic", "yaml", "numpy", "torch", "nussl")  # of requirements.lock, the telling ones

if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
    sys.exit(
        f"error: {sys.executable} has no package {', '.join(missing)}; run make install in the "
        "project's folder, then activate its environment (source .venv/bin/activate)"
    )

# numpy and scipy read this when they are imported: after their last work, their threads spin for
# 2^20 CPU cycles (0.5 ms), not for 2^26, which costs each script 0.1 s of CPU time for each package
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")

# torch reads this when it is imported: threads of OpenMP spin 2,000 times (up to 0.15 ms) before
# they sleep, not 300,000 times. On idle cores a training step takes as long; if other processes
# need the cores, as the workers of a sweep do, threads would spin where others could work
if "OMP_WAIT_POLICY" not in os.environ:
    os.environ.setdefault("GOMP_SPINCOUNT", "2000")
