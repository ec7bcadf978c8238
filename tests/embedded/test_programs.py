"""What the processes of the product are started with."""

from pathlib import Path

from evalapp.embedded.programs import beat, default_worker, model_worker, web
from evalapp.env import read_environment


def test_short_work_keeps_to_one_core_and_models_get_all(tmp_path: Path) -> None:
    environment = read_environment({"EVALAPP_HOME": str(tmp_path)})
    one_thread = {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"}
    for program in (web(), default_worker(), beat(environment)):
        assert one_thread.items() <= program.variables.items(), program.name
    assert not one_thread.keys() & model_worker(environment).variables.keys()
