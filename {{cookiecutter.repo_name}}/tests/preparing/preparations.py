"""Archives to prepare, and the script that prepares them."""

import hashlib
import io
import tarfile
import zipfile

import yaml

from scripts import common, prepare

PAYLOAD = bytes(range(256)) * 40000  # 10 MB
SHA256 = hashlib.sha256(PAYLOAD).hexdigest()


def zipped(path, files):
    with zipfile.ZipFile(path, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path, members):
    with tarfile.open(path, "w:gz") as archive:
        for name, content in members.items():
            member = tarfile.TarInfo(name)
            if isinstance(content, bytes):
                member.size = len(content)
                archive.addfile(member, io.BytesIO(content))
            else:
                member.type, member.linkname = content
                archive.addfile(member)
    return path


def run(tmp_path, **section):
    path = tmp_path / "prepare.yml"
    section = {
        "license": "none",
        "folder": str(tmp_path / "made"),
        "archives": str(tmp_path / "archives"),
        **section,
    }
    path.write_text(
        yaml.safe_dump({"info": {"name": "x", "output_folder": str(tmp_path)}, "prepare": section})
    )
    try:
        common.run(prepare.main, prepare.__doc__, ("prepare",), ["-p", str(path)])
    except SystemExit as leaving:
        return str(leaving.code)
    return None
