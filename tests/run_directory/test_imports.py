import subprocess
import sys

from tests.run_directory.tiny import ROOT

FOR_THE_WEB = (
    "training.spec",
    "training.objectives",
    "inference.spec",
    "run_directory.protocol",
    "run_directory.program",
    "run_directory.bases",
    "run_directory.adapters",
)


def test_what_the_web_imports_needs_the_standard_library_only() -> None:
    script = (
        f"import sys, {', '.join(FOR_THE_WEB)}\n"
        "ours = {'training', 'inference', 'run_directory', '__main__'}\n"
        "roots = {name.partition('.')[0] for name in sys.modules} - ours\n"
        "print(sorted(name for name in roots if name not in sys.stdlib_module_names))\n"
    )
    found = subprocess.run(
        [sys.executable, "-S", "-c", script], cwd=ROOT, capture_output=True, text=True, check=True
    )
    assert found.stdout == "[]\n"
