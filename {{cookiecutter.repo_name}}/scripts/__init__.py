"""The commands: `python -m scripts.train -p experiments/demo.yml` and others."""

import importlib.util
import os
import sys

NEEDED = ("pydantic", "yaml", "numpy", "torch", "nussl")  # of requirements.lock, the telling ones

if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
    sys.exit(
        f"error: {sys.executable} has no package {', '.join(missing)}; run make install in the "
        "project's folder, then activate its environment (source .venv/bin/activate)"
    )

# numpy and scipy read this when they are imported: after their last work, their threads spin for
# 2^20 CPU cycles (0.5 ms), not for 2^26, which costs each script 0.1 s of CPU time for each package
os.environ.setdefault("OPENBLAS_THREAD_TIMEOUT", "20")
