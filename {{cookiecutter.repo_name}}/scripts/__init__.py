"""The commands: `python -m scripts.train -p experiments/demo.yml` and others."""

import importlib.util
import sys

NEEDED = ("pydantic", "yaml", "numpy", "torch", "nussl")  # of requirements.lock, the telling ones

if missing := [name for name in NEEDED if importlib.util.find_spec(name) is None]:
    sys.exit(
        f"error: {sys.executable} has no package {', '.join(missing)}; run make install in the "
        "project's folder, then activate its environment (source .venv/bin/activate)"
    )
