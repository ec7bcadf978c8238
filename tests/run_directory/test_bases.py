import errno
import json
import os
import pickle
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from run_directory.bases import check_base
from run_directory.loading import load_tokenizer
from run_directory.model_files import UnusableModelError
from run_directory.program import Refusal
from run_directory.words import counted
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


def test_other_settings_a_tokenizer_or_a_template_make_another_base_of_the_same_weights(
    base: Path, sound: Path
) -> None:
    def differing() -> set[str]:
        found, known = check_base(base), check_base(sound)
        assert found.fingerprint == known.fingerprint
        return {name for name in known.settings if found.settings[name] != known.settings[name]}

    assert differing() == set()
    (base / "chat_template.jinja").write_text("{{ messages }}")
    assert differing() == {"chat_template_sha256"}
    changed = json.loads((base / "tokenizer_config.json").read_text()) | {"add_bos_token": True}
    (base / "tokenizer_config.json").write_text(json.dumps(changed))
    assert differing() == {"chat_template_sha256", "tokenizer_sha256"}
    (base / "config.json").write_text((base / "config.json").read_text().replace('"llama"', '"mistral"'))
    assert len(differing()) == 3


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
    with pytest.raises(UnusableModelError, match=r"pickle \('pytorch_model\.bin'\)"):
        check_base(base)
    assert not (tmp_path / "opened").exists()


def test_a_shard_outside_the_folder_or_missing_is_refused(base: Path) -> None:
    index = base / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "../other.safetensors"}}))
    with pytest.raises(UnusableModelError, match="outside the folder"):
        check_base(base)
    index.write_text(json.dumps({"weight_map": {"a": "model-00001.safetensors"}}))
    with pytest.raises(UnusableModelError, match=r"lacks the weights file .model-00001"):
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


def test_line_ends_of_a_chat_template_are_read_as_transformers_reads_them(base: Path) -> None:
    (base / "chat_template.jinja").write_bytes(b"a\r\nb\rc\n")
    assert check_base(base).chat_template == "a\nb\nc\n"


def configured(**fields: object) -> Callable[[Path], object]:
    def change(base: Path) -> None:
        path = base / "config.json"
        path.write_text(json.dumps({**json.loads(path.read_text()), **fields}))

    return change


def templated(found: object) -> Callable[[Path], object]:
    def change(base: Path) -> None:
        (base / "chat_template.jinja").unlink()
        (base / "tokenizer_config.json").write_text(json.dumps({"chat_template": found}))

    return change


def replaced(name: str, make: Callable[[Path], object]) -> Callable[[Path], object]:
    def change(base: Path) -> None:
        (base / name).unlink()
        make(base / name)

    return change


def sparse(name: str, size: int) -> Callable[[Path], object]:
    return lambda base: os.truncate(base / name, size)


UNUSABLE = {
    "template not UTF-8": (
        lambda base: (base / "chat_template.jinja").write_bytes(b"caf\xe9"),
        "chat_template.jinja is not UTF-8 (byte 3); save it as UTF-8",
    ),
    "half a character in the template": (templated("{{ a }}\ud800"), "half of a surrogate pair"),
    "template without a hashable name": (templated([{"name": [], "template": "x"}]), "no chat template"),
    "half a character in the type": (configured(model_type="\ud800"), "model_type is '\\ud800'"),
    "NUL in the type": (configured(model_type="lla\0ma"), "model_type is 'lla\\x00ma'"),
    "type of another kind": (configured(model_type=["llama"]), "model_type is ['llama']"),
    "long type": (configured(model_type="x" * 10_000), "not the name of an architecture"),
    "no type": (configured(model_type=None), "model_type is None"),
    "true as a context": (configured(max_position_embeddings=True), "max_position_embeddings is True"),
    "context beyond all bounds": (configured(max_position_embeddings=10**30), "not a whole number from 1"),
    "infinite context": (
        lambda base: (base / "config.json").write_text('{"model_type": "llama", "n_positions": 1e999}'),
        "n_positions is inf",
    ),
    "config of 6 GB": (sparse("config.json", 6 * 2**30), "config.json has more than 16,777,216 bytes"),
    "template of 6 GB": (sparse("chat_template.jinja", 6 * 2**30), "chat_template.jinja has more than"),
    "tokenizer of 6 GB": (sparse("tokenizer.json", 6 * 2**30), "tokenizer.json has more than"),
    "pipe as a config": (replaced("config.json", os.mkfifo), "config.json is a pipe or a device"),
    "pipe as a template": (replaced("chat_template.jinja", os.mkfifo), "is a pipe or a device"),
    "pipe as weights": (replaced("model.safetensors", os.mkfifo), "is a pipe or a device"),
    "pipe as a tokenizer": (replaced("tokenizer.json", os.mkfifo), "is a pipe or a device"),
    "folder as a config": (replaced("config.json", Path.mkdir), "config.json is a folder where a file"),
    "an adapter beside the base": (
        lambda base: (base / "adapter_config.json").write_text('{"base_model_name_or_path": "/elsewhere"}'),
        "move the adapter to a folder of its own",
    ),
    "pickle as a shard": (
        lambda base: (
            (base / "model.safetensors.index.json").write_text('{"weight_map": {"a": "model.bin"}}'),
            (base / "model.bin").write_bytes(b""),
        ),
        "'model.bin', which is not safetensors, so it was not opened",
    ),
    "two sets of weights": (
        lambda base: (
            (base / "model.safetensors.index.json").write_text('{"weight_map": {"a": "a.safetensors"}}'),
            shutil.copyfile(base / "model.safetensors", base / "a.safetensors"),
        ),
        "leave only those that belong to the model",
    ),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_what_cannot_be_used_says_which_file_and_why(base: Path, kind: str) -> None:
    change, said = UNUSABLE[kind]
    change(base)
    with pytest.raises(UnusableModelError) as caught:
        check_base(base)
    message = str(caught.value)
    assert said in message
    assert len(message.encode()) < 800


@pytest.mark.parametrize(
    ("code", "said"),
    [
        (errno.EACCES, "give that account read access"),
        (errno.ENOENT, "was removed while it was read"),
        (errno.ELOOP, "is a link in a circle"),
        (errno.EIO, "check its disk"),
    ],
)
def test_a_file_that_the_system_refuses_says_what_to_do(
    base: Path, monkeypatch: pytest.MonkeyPatch, code: int, said: str
) -> None:
    def refuse(path: str, *_: object) -> int:
        raise OSError(code, os.strerror(code), path)

    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UnusableModelError) as caught:
        check_base(base)
    assert said in str(caught.value)
    assert "Errno" not in str(caught.value)


def test_a_folder_whose_name_is_too_long_is_told_so() -> None:
    with pytest.raises(UnusableModelError, match="name too long for this system"):
        check_base(Path("/") / ("x" * 300))


def test_a_base_that_went_away_after_its_check_is_said_to(base: Path) -> None:
    """transformers would say that its path is no name of a model at a hub."""
    found = check_base(base)
    shutil.rmtree(base)
    with pytest.raises(Refusal, match=r"was removed after the check; put it back") as refusal:
        load_tokenizer(found)
    assert "Repo id" not in str(refusal.value)


@pytest.mark.parametrize(
    ("number", "one", "words"),
    [
        (1, "step", "1 step"),
        (2000, "step", "2,000 steps"),
        ("1", "pass", "1 pass"),
        ("0.4", "pass", "0.4 passes"),
    ],
)
def test_numbers_agree_with_their_words(number: int | str, one: str, words: str) -> None:
    assert counted(number, one) == words
