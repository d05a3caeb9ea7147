"""Export a trained model as ONNX and .pt2: python -m scripts.export -p experiments/export.yml"""

import logging

import memory
from errors import amount
from scripts.common import run

log = logging.getLogger("export")
NEEDS = ("algorithm", "export")


def main(config):
    with memory.gc_paused():
        import experiment
        import exporting
        from algorithms import ALGORITHMS

    exporting.check_packages()
    experiment.check(config, training=False)
    make = experiment.build_separator(config, "cpu")
    folder, rows = exporting.export(
        experiment.load_model_of(config, "cpu"),
        ALGORITHMS[config.algorithm.class_name],
        config.algorithm.args,
        config.export,
        config.info.name,
        config.info.notes,
        make,
    )
    for row in rows:
        differences = ", ".join(
            f"{key} {row[key]:.1e}" for key in ("onnx", "pt2", "project") if key in row
        )
        channels = amount(row["channels"], "channel")
        log.info("test of %g s, %s: differs by %s", row["seconds"], channels, differences)
    log.info("%s", folder)


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
