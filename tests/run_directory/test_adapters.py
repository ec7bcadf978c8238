import json
import os
import pickle
import shutil
from pathlib import Path

import pytest

from run_directory.adapters import check_adapter
from run_directory.bases import check_base
from run_directory.files import sha256_of
from run_directory.model_files import UnusableModelError
from tests.run_directory.tiny import make_adapter, make_base


@pytest.fixture(scope="module")
def base(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture(scope="module")
def sound(base: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_adapter(base, tmp_path_factory.mktemp("adapters") / "sound")


@pytest.fixture
def adapter(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "adapter"))


def configure(adapter: Path, **fields: object) -> None:
    path = adapter / "adapter_config.json"
    path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))


def write_manifest(adapter: Path, base: Path, **fields: object) -> None:
    known = check_base(base)
    manifest = {
        "format": 1,
        "rows": 1,
        "files": {},
        "adapter_sha256": sha256_of(adapter / "adapter_model.safetensors"),
        "base_fingerprint": known.fingerprint,
        "chat_template_sha256": known.chat_template_sha256,
        "spec_sha256": "",
        "data_sha256": "",
        **fields,
    }
    (adapter / "manifest.json").write_text(json.dumps(manifest))


class Canary:
    """Unpickling this writes a file: proof that a pickle was opened."""

    def __init__(self, path: Path) -> None:
        self.path = path

    def __reduce__(self) -> object:
        return (Path.touch, (self.path,))


def test_a_plain_lora_fits_its_base(adapter: Path, base: Path) -> None:
    found = check_adapter(adapter, check_base(base))
    assert found.rank == 8
    assert found.sha256 == sha256_of(adapter / "adapter_model.safetensors")
    assert found.manifest is None


@pytest.mark.parametrize(
    ("fields", "said"),
    [
        ({"use_dora": True}, "DoRA"),
        ({"modules_to_save": ["lm_head"]}, "modules_to_save"),
        ({"lora_bias": True}, "lora_bias"),
        ({"bias": "all"}, "bias='all'"),
        ({"init_lora_weights": "pissa"}, "'pissa' changes the base's own weights"),
        ({"init_lora_weights": "olora"}, "'olora'"),
        ({"init_lora_weights": "corda"}, "'corda'"),
        ({"init_lora_weights": "loftq"}, "'loftq'"),
        ({"init_lora_weights": "of_next_year"}, "'of_next_year'"),
        ({"alpha_pattern": {"q_proj": 4}}, "alpha_pattern"),
        ({"rank_pattern": {"q_proj": 4}}, "rank_pattern"),
        ({"layer_replication": [[0, 1]]}, "layer_replication"),
        ({"something_new": True}, "something_new"),
        ({"peft_type": "IA3"}, "'IA3'"),
        ({"r": 4}, "rank 4"),
        ({"r": "8"}, "'8'"),
        ({"r": 100_000}, "100000"),
        ({"r": 0}, "rank r is 0"),
        ({"r": -8}, "rank r is -8"),
        ({"r": True}, "r: expected a whole number"),
        ({"r": 10**30}, "not a whole number from 1 to 512"),
        ({"lora_alpha": 0}, "lora_alpha"),
        ({"lora_alpha": True}, "lora_alpha: expected a"),
        ({"lora_alpha": -1}, "lora_alpha is -1"),
        ({"lora_alpha": 10**30}, "up to 1,000,000"),
        ({"lora_dropout": -0.5}, "lora_dropout is -0.5"),
        ({"lora_dropout": 1.5}, "lora_dropout is 1.5"),
        ({"lora_dropout": None}, "lora_dropout: expected a"),
        ({"target_modules": None}, "target_modules: expected a"),
        ({"target_modules": {"q_proj": 1}}, "target_modules: expected a"),
        ({"target_modules": []}, "target_modules is empty"),
        ({"target_modules": ""}, "target_modules is empty"),
        ({"target_modules": ["q_proj", ""]}, "a layer without a name"),
        ({"target_modules": ["q_proj", 7]}, "target_modules"),
        ({"target_modules": ["q\0"]}, "target_modules has a NUL"),
        ({"target_modules": ["\ud800"]}, "half of a surrogate pair"),
        ({"peft_version": "0\0"}, "peft_version is"),
        ({"peft_version": "\ud800"}, "half of a surrogate pair"),
        ({"peft_version": "1" * 1_000_000}, "no version"),
        ({"use_rslora": "yes"}, "use_rslora: expected true or false"),
        ({"fan_in_fan_out": 1}, "fan_in_fan_out: expected true or false"),
        ({"task_type": "SEQ_CLS"}, "task_type: 'SEQ_CLS'"),
        ({"base_model_name_or_path": 7}, "base_model_name_or_path: expected a text"),
        ({"layers_to_transform": [1.5]}, "layers_to_transform"),
        ({"\ud800" * 10_000: True}, "sets"),
    ],
)
def test_what_an_engine_may_choke_on_is_refused(
    adapter: Path, base: Path, fields: dict[str, object], said: str
) -> None:
    configure(adapter, **fields)
    with pytest.raises(UnusableModelError) as caught:
        check_adapter(adapter, check_base(base))
    assert said in str(caught.value)
    assert len(str(caught.value).encode()) < 800


@pytest.mark.parametrize("field", ["r", "lora_alpha", "lora_dropout"])
def test_a_number_that_no_float_holds_is_refused(adapter: Path, base: Path, field: str) -> None:
    configure(adapter, **{field: 0})
    path = adapter / "adapter_config.json"
    path.write_text(path.read_text().replace(f'"{field}": 0', f'"{field}": 1e999'))
    with pytest.raises(UnusableModelError, match=field):
        check_adapter(adapter, check_base(base))


def test_a_configuration_of_6_gb_is_not_read(adapter: Path, base: Path) -> None:
    os.truncate(adapter / "adapter_config.json", 6 * 2**30)
    with pytest.raises(UnusableModelError, match=r"adapter_config\.json has more than 8,388,608 bytes"):
        check_adapter(adapter, check_base(base))


@pytest.mark.parametrize("name", ["adapter_config.json", "adapter_model.safetensors", "manifest.json"])
def test_a_pipe_in_the_place_of_a_file_is_not_waited_for(adapter: Path, base: Path, name: str) -> None:
    (adapter / name).unlink(missing_ok=True)
    os.mkfifo(adapter / name)
    with pytest.raises(UnusableModelError, match=f"{name} is a pipe or a device"):
        check_adapter(adapter, check_base(base))


def test_real_dora_weights_are_refused_even_when_the_configuration_hides_them(
    base: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(base, tmp_path / "dora", use_dora=True)
    configure(adapter, use_dora=False)
    with pytest.raises(UnusableModelError, match="magnitude"):
        check_adapter(adapter, check_base(base))


def test_real_saved_modules_are_refused_even_when_the_configuration_hides_them(
    base: Path, tmp_path: Path
) -> None:
    adapter = make_adapter(base, tmp_path / "head", modules_to_save=["lm_head"])
    configure(adapter, modules_to_save=None)
    with pytest.raises(UnusableModelError, match="lm_head"):
        check_adapter(adapter, check_base(base))


def test_an_adapter_for_another_base_is_refused_by_its_shapes(adapter: Path, tmp_path: Path) -> None:
    wider = check_base(make_base(tmp_path / "wider", hidden=192))
    with pytest.raises(UnusableModelError, match="trained on another base"):
        check_adapter(adapter, wider)


def test_an_adapter_trained_here_knows_its_base_and_its_chat_template(
    adapter: Path, base: Path, tmp_path: Path
) -> None:
    write_manifest(adapter, base)
    assert check_adapter(adapter, check_base(base)).manifest is not None

    twin = make_base(tmp_path / "twin", seed=7)
    with pytest.raises(UnusableModelError, match="other base weights"):
        check_adapter(adapter, check_base(twin))

    rephrased = Path(shutil.copytree(base, tmp_path / "rephrased"))
    (rephrased / "chat_template.jinja").write_text("{{ messages }}")
    with pytest.raises(UnusableModelError, match="another chat template"):
        check_adapter(adapter, check_base(rephrased))


def test_weights_that_are_not_those_of_the_manifest_are_refused(adapter: Path, base: Path) -> None:
    write_manifest(adapter, base, adapter_sha256="0" * 64)
    with pytest.raises(UnusableModelError, match="not the file"):
        check_adapter(adapter, check_base(base))


@pytest.mark.parametrize("name", ["adapter_model.bin", "adapter_model.pt"])
def test_a_pickled_adapter_is_refused_unopened(adapter: Path, base: Path, tmp_path: Path, name: str) -> None:
    (adapter / "adapter_model.safetensors").unlink()
    (adapter / name).write_bytes(pickle.dumps(Canary(tmp_path / "opened")))
    with pytest.raises(UnusableModelError, match="pickle"):
        check_adapter(adapter, check_base(base))
    assert not (tmp_path / "opened").exists()


@pytest.mark.parametrize("kept", [0, 4, 200, -1])
def test_weights_that_are_cut_short_are_refused(adapter: Path, base: Path, kept: int) -> None:
    path = adapter / "adapter_model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnusableModelError, match="copy it again"):
        check_adapter(adapter, check_base(base))


@pytest.mark.parametrize("content", ["", "[]", "{", "\x00", '{"r": NaN}', "[" * 100_000])
def test_a_garbage_configuration_is_refused(adapter: Path, base: Path, content: str) -> None:
    (adapter / "adapter_config.json").write_text(content)
    with pytest.raises(UnusableModelError, match=r"adapter_config\.json"):
        check_adapter(adapter, check_base(base))


def test_a_folder_that_is_none_is_refused(base: Path, tmp_path: Path) -> None:
    with pytest.raises(UnusableModelError, match="does not exist"):
        check_adapter(tmp_path / "nowhere", check_base(base))
    with pytest.raises(UnusableModelError, match=r"no adapter_config\.json"):
        check_adapter(tmp_path, check_base(base))


def test_weights_that_are_no_finite_numbers_are_refused_by_their_tensor(adapter: Path, base: Path) -> None:
    from safetensors.torch import load_file, save_file

    tensors = load_file(adapter / "adapter_model.safetensors")
    name = sorted(tensors)[3]
    tensors[name][1, 2] = float("inf")
    save_file(tensors, adapter / "adapter_model.safetensors")
    with pytest.raises(UnusableModelError, match=f"{name}.*its training diverged"):
        check_adapter(adapter, check_base(base))
