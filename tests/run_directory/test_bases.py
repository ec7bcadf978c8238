import json
import pickle
import shutil
from pathlib import Path

import pytest

from run_directory.bases import check_base
from run_directory.weights import UnusableModelError
from tests.run_directory.test_adapters import Canary
from tests.run_directory.tiny import CHAT_TEMPLATE, make_base


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return make_base(tmp_path_factory.mktemp("base") / "tiny")


@pytest.fixture
def base(sound: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(sound, tmp_path / "base"))


def test_a_sound_base_is_described(base: Path) -> None:
    found = check_base(base)
    assert (found.model_type, found.context, found.chat_template) == ("llama", 512, CHAT_TEMPLATE)
    assert found.tensors["model.embed_tokens.weight"].shape == (512, 128)


def test_two_models_of_one_shape_have_two_fingerprints(base: Path, sound: Path, tmp_path: Path) -> None:
    assert check_base(base).fingerprint == check_base(sound).fingerprint
    assert check_base(make_base(tmp_path / "twin", seed=5)).fingerprint != check_base(sound).fingerprint


def test_the_chat_template_may_stand_in_the_tokenizer_settings(base: Path) -> None:
    (base / "chat_template.jinja").unlink()
    settings = base / "tokenizer_config.json"
    known = json.loads(settings.read_text())
    known.pop("chat_template", None)
    settings.write_text(json.dumps(known))
    with pytest.raises(UnusableModelError, match="no chat template"):
        check_base(base)
    for shape in (CHAT_TEMPLATE, [{"name": "default", "template": CHAT_TEMPLATE}]):
        settings.write_text(json.dumps({**known, "chat_template": shape}))
        assert check_base(base).chat_template == CHAT_TEMPLATE


def test_a_missing_tokenizer_is_named(base: Path) -> None:
    (base / "tokenizer.json").unlink()
    with pytest.raises(UnusableModelError, match="no tokenizer"):
        check_base(base)


def test_a_pickled_base_is_refused_unopened(base: Path, tmp_path: Path) -> None:
    (base / "model.safetensors").unlink()
    (base / "pytorch_model.bin").write_bytes(pickle.dumps(Canary(tmp_path / "opened")))
    with pytest.raises(UnusableModelError, match=r"pickle \(pytorch_model\.bin\)"):
        check_base(base)
    assert not (tmp_path / "opened").exists()


def test_a_shard_outside_the_folder_or_missing_is_refused(base: Path) -> None:
    index = base / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    with pytest.raises(UnusableModelError, match="outside the folder"):
        check_base(base)
    index.write_text(json.dumps({"weight_map": {"a": "model-00001.safetensors"}}))
    with pytest.raises(UnusableModelError, match=r"lacks the weights file model-00001"):
        check_base(base)


@pytest.mark.parametrize("content", ["", "null", "{", '{"max_position_embeddings": "many"}'])
def test_a_garbage_configuration_is_refused(base: Path, content: str) -> None:
    (base / "config.json").write_text(content)
    with pytest.raises(UnusableModelError, match=r"config\.json"):
        check_base(base)


@pytest.mark.parametrize("kept", [0, 7, 100, -1])
def test_weights_that_are_cut_short_are_refused(base: Path, kept: int) -> None:
    path = base / "model.safetensors"
    path.write_bytes(path.read_bytes()[:kept])
    with pytest.raises(UnusableModelError, match="copy it again"):
        check_base(base)


def test_a_header_longer_than_the_file_is_not_believed(base: Path) -> None:
    (base / "model.safetensors").write_bytes((2**62).to_bytes(8, "little") + b"{}")
    with pytest.raises(UnusableModelError, match="not a safetensors file"):
        check_base(base)
