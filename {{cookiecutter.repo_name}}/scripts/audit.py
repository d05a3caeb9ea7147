"""Audit datasets for leaks and bad stems: python -m scripts.audit -p experiments/musdb18.yml"""

import logging
from pathlib import Path

import memory
from scripts.common import run

log = logging.getLogger("audit")
log.setLevel(logging.INFO)
NEEDS = ("datasets", "audit")


def main(config):
    with memory.gc_paused():
        import experiment
        from auditing import as_text, audit, report_files
        from errors import UserError, amount
        from files import write_files

    experiment.check(config, training=False)
    settings = config.audit
    data = experiment.build_datasets(config, settings.splits or experiment.SPLITS)
    log.info("%s", experiment.announcement(next(iter(data.values()))))
    report = audit(data, settings)
    report = {"experiment": config.info.name, "limits": settings.model_dump(), **report}
    folder = Path(settings.output_folder or Path(config.info.output_folder) / "audit")
    write_files({folder / name: text for name, text in report_files(report).items()})
    log.info("%s\n%s", as_text(report), folder)
    errors = sum(finding["level"] == "error" for finding in report["findings"])
    if errors:
        found = amount(errors, "finding")
        raise UserError(f"{found} that would spoil a result; see {folder / 'report.html'}")


if __name__ == "__main__":
    run(main, __doc__, needs=NEEDS)
