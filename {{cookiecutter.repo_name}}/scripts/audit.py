"""Look for what would spoil a result: python -m scripts.audit -p experiments/musdb18.yml"""

import json
import logging
from pathlib import Path

from scripts.common import run

log = logging.getLogger("audit")
log.setLevel(logging.INFO)


def main(config):
    import experiment
    import labels
    from auditing import as_html, as_text, audit
    from errors import UserError
    from files import write_files

    experiment.check(config)
    settings = config.audit
    data = experiment.build_datasets(config, settings.splits or experiment.SPLITS)
    log.info("%s", labels.announcement(next(iter(data.values()))))
    report = audit(data, settings)
    report = {"experiment": config.info.name, "limits": settings.model_dump(), **report}
    folder = Path(settings.output_folder or Path(config.info.output_folder) / "audit")
    text = as_text(report)
    write_files(
        {
            folder / "report.json": json.dumps(report, indent=1, ensure_ascii=False) + "\n",
            folder / "report.txt": text + "\n",
            folder / "report.html": as_html(report, f"Audit of the data of {config.info.name}"),
        }
    )
    log.info("%s\n%s", text, folder)
    errors = sum(finding["level"] == "error" for finding in report["findings"])
    if errors:
        raise UserError(f"{errors} findings would spoil a result; see {folder / 'report.html'}")


if __name__ == "__main__":
    run(main, __doc__, needs=("datasets", "audit"))
