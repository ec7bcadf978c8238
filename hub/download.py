"""Downloads one commit of a model: metadata, settings, then weights, but no code."""

import json
import shutil
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path, PurePosixPath
from typing import Any, Literal

import httpx2
from huggingface_hub import HfApi, hf_hub_download
from huggingface_hub.errors import (
    DisabledRepoError,
    GatedRepoError,
    HfHubHTTPError,
    RepositoryNotFoundError,
    RevisionNotFoundError,
)
from huggingface_hub.hf_api import ModelInfo, RepoSibling
from huggingface_hub.utils.tqdm import tqdm as quiet_bar

from hub.answers import NOT_A_HUB, first_line, status_words, token
from hub.guard import guard
from hub.spec import PARTS_FOLDER, HubManifest, HubReport, HubSpec
from run_directory.bases import check_base, check_settings
from run_directory.files import sha256_of, sync_folder, sync_tree, write_whole
from run_directory.loading import load_tokenizer
from run_directory.machine import package_versions
from run_directory.model_files import PICKLE_SUFFIXES, UnusableModelError, shown
from run_directory.outgoing_policy import policy_of
from run_directory.program import Refusal, RunDirectory
from run_directory.protocol import MANIFEST_FILE, MODEL_FOLDER, SPEC_FILE

SETTINGS = frozenset(
    {
        "config.json",
        "generation_config.json",
        "tokenizer.json",
        "tokenizer.model",
        "tokenizer_config.json",
        "special_tokens_map.json",
        "added_tokens.json",
        "vocab.json",
        "merges.txt",
        "chat_template.jinja",
        "model.safetensors.index.json",
        "LICENSE",
        "LICENSE.txt",
        "LICENSE.md",
        "README.md",
    }
)
"""Files of the repository's top folder that are downloaded beside the weights. No code and no pickle."""
_COMMIT_FILE = "commit"
_SPARE = 512 * 2**20


def download(directory: RunDirectory) -> tuple[str, HubReport]:
    """Download the commit into `model/`, complete and checked; a failed attempt leaves only parts that the
    next one resumes from.
    """
    started = time.monotonic()
    spec = HubSpec.from_json(directory.spec, where=SPEC_FILE)
    guard(policy_of(spec.allowed))
    parts = directory.folder / PARTS_FOLDER
    parts.mkdir(exist_ok=True)
    directory.events.write("stage", f"Looking up {spec.repository} on {spec.hub}.", name="asking")
    with _told(spec, has_token=bool(_token())):
        info = _info(spec, parts)
        settings, weights = _wanted(info, spec)
        _require_room(directory.folder, parts, [*settings, *weights])
        bar = _ProgressBar.of(directory, [*settings, *weights])
        _fetch(spec, info, settings, parts, bar)
        gave = _put_template(spec, parts)
        directory.events.write(
            "stage", "Checking the tokenizer, the chat template and the architecture.", name="settings"
        )
        check_settings(parts)
        _check_architecture(parts)
        commit = str(info.sha)
        directory.events.write("stage", f"Downloading the weights of commit {commit[:12]}.", name="weights")
        _fetch(spec, info, weights, parts, bar)
    directory.events.write("stage", "Checking the model.", name="checking")
    base = check_base(parts)
    load_tokenizer(base)
    directory.interruption.check()
    names = [file.rfilename for file in (*settings, *weights)]
    names += ["chat_template.jinja"] if gave and "chat_template.jinja" not in names else []
    files = {name: sha256_of(parts / name) for name in sorted(names)}
    common: dict[str, Any] = {
        "repository": spec.repository, "commit": commit, "files": files,
        "fingerprint": base.fingerprint, "gave_template": gave,
    }  # fmt: skip
    target = _publish(directory.folder, parts, HubManifest(hub=spec.hub, **common))
    report = HubReport(
        **common,
        license=_license(info),
        size_bytes=sum(path.stat().st_size for path in target.iterdir()),
        packages=package_versions("huggingface_hub", "transformers", "tokenizers", "safetensors"),
        seconds=time.monotonic() - started,
    )
    return f"Imported {spec.repository} at commit {commit[:12]}.", report


def _token() -> str | Literal[False]:
    """The token, or False: with None the library would look for one in the user's own files."""
    return token() or False


def _info(spec: HubSpec, parts: Path) -> ModelInfo:
    """The hub's metadata of the commit. A later attempt keeps the commit that the first one resolved."""
    known = parts / _COMMIT_FILE
    revision = known.read_text() if known.exists() else spec.revision
    try:
        info = HfApi(endpoint=spec.hub, token=_token()).model_info(
            spec.repository, revision=revision, files_metadata=True, timeout=30
        )
    except (json.JSONDecodeError, KeyError, TypeError) as error:
        raise Refusal(f"{spec.hub} {NOT_A_HUB}") from error
    if not info.sha:
        raise Refusal(f"{spec.hub} names no commit of {spec.repository}; it may not be a hub, or an old one")
    write_whole(known, info.sha.encode())
    return info


def _wanted(info: ModelInfo, spec: HubSpec) -> tuple[list[RepoSibling], list[RepoSibling]]:
    """The settings files and weights files to download. Raises Refusal for an adapter, or without safetensors
    or a config.
    """
    there = [file for file in info.siblings or [] if PurePosixPath(file.rfilename).name == file.rfilename]
    settings = [file for file in there if file.rfilename in SETTINGS]
    weights = [
        file
        for file in there
        if file.rfilename.endswith(".safetensors") and not file.rfilename.startswith("adapter_")
    ]
    names = {file.rfilename for file in there}
    if "adapter_config.json" in names:
        raise Refusal(
            f"{spec.repository} is an adapter, not a base; download it and register it as an adapter"
        )
    if not weights:
        pickles = sorted(name for name in names if PurePosixPath(name).suffix.lower() in PICKLE_SUFFIXES)
        if pickles:
            raise Refusal(
                f"{spec.repository} has its weights as a pickle ({shown(pickles[0])}), which can run code"
                " when opened, so it was not downloaded; choose a revision or a copy with safetensors"
            )
        raise Refusal(
            f"{spec.repository} has no safetensors weights at {shown(spec.revision)}; choose another model"
        )
    if "config.json" not in names:
        raise Refusal(
            f"{spec.repository} has no config.json, so it is not a transformers model; choose another"
        )
    return settings, weights


def _require_room(folder: Path, parts: Path, files: list[RepoSibling]) -> None:
    needed = sum(file.size or 0 for file in files)
    there = sum(
        (parts / file.rfilename).stat().st_size for file in files if (parts / file.rfilename).exists()
    )
    free = shutil.disk_usage(folder).free
    if needed - there + _SPARE > free:
        raise Refusal(
            f"the model has {needed / 10**9:.1f} GB, and the disk of the run directory has {free / 10**9:.1f}"
            " GB free; free space, then try again"
        )


class _ProgressBar(quiet_bar):
    """Progress bar that the library updates with every chunk: reports progress and raises Stopped on a stop
    request.
    """

    directory: RunDirectory
    total_bytes = 0
    done_bytes = 0
    told_at = 0.0

    @classmethod
    def of(cls, directory: RunDirectory, files: list[RepoSibling]) -> "type[_ProgressBar]":
        """Create a subclass for one download, because the library instantiates it for each file."""
        total = sum(file.size or 0 for file in files)
        return type("_ProgressBar", (cls,), {"directory": directory, "total_bytes": total})

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **{**options, "disable": True})  # type: ignore[no-untyped-call]  # untyped library
        type(self).done_bytes += int(options.get("initial") or 0)

    def update(self, n: float | None = 1) -> bool | None:
        mine = type(self)
        mine.done_bytes += int(n or 0)
        mine.directory.interruption.check()
        if time.monotonic() - mine.told_at > 0.5:
            mine.told_at = time.monotonic()
            mine.tell()
        return None

    @classmethod
    def tell(cls) -> None:
        done, total = cls.done_bytes // 2**20, cls.total_bytes // 2**20
        if total:
            cls.directory.events.write(
                "progress", f"{done:,} of {total:,} MiB.", step=min(done, total), total=total
            )


def _fetch(
    spec: HubSpec, info: ModelInfo, files: list[RepoSibling], parts: Path, bar: type[_ProgressBar]
) -> None:
    """Download files of the commit into ``parts``, skipping those that are complete."""
    for file in sorted(files, key=lambda file: file.size or 0):
        bar.directory.interruption.check()
        path = parts / file.rfilename
        if path.exists() and _is_whole(path, file):
            bar.done_bytes += path.stat().st_size
            continue
        hf_hub_download(
            spec.repository, file.rfilename, revision=info.sha, endpoint=spec.hub, local_dir=parts,
            token=_token(),
            tqdm_class=bar,
        )  # fmt: skip
        if not _is_whole(path, file):
            path.unlink()
            raise Refusal(
                f"{file.rfilename} differs from what {spec.hub} announced (its size or SHA-256); try again"
            )
    bar.tell()


def _is_whole(path: Path, file: RepoSibling) -> bool:
    if file.size is not None and path.stat().st_size != file.size:
        return False
    return file.lfs is None or sha256_of(path) == file.lfs.sha256


def _put_template(spec: HubSpec, parts: Path) -> bool:
    if spec.chat_template is None:
        return False
    write_whole(parts / "chat_template.jinja", spec.chat_template.encode())
    return True


def _check_architecture(parts: Path) -> None:
    """Raises Refusal for a model that transformers does not support by itself."""
    from transformers import AutoConfig, __version__
    from transformers.models.auto.modeling_auto import MODEL_FOR_CAUSAL_LM_MAPPING_NAMES

    known = f"transformers {__version__}, the installed library,"
    try:
        config = AutoConfig.from_pretrained(str(parts), trust_remote_code=False, local_files_only=True)
    except (OSError, ValueError, KeyError, TypeError) as error:
        first = (str(error).strip().splitlines() or ["no reason given"])[0][:200]
        raise Refusal(
            f"config.json asks for an architecture that {known} does not support without repository code,"
            f" which is never run ({first}); choose a model that transformers supports,"
            " or update transformers"
        ) from error
    if config.model_type not in MODEL_FOR_CAUSAL_LM_MAPPING_NAMES:
        raise Refusal(
            f"the model is of type {shown(config.model_type)}, which {known} has no text generation for;"
            " choose another"
        )


def _license(info: ModelInfo) -> str | None:
    found = info.card_data.get("license") if info.card_data else None
    return found[:100] if isinstance(found, str) else None


def _publish(folder: Path, parts: Path, manifest: HubManifest) -> Path:
    """Move the files and their manifest into place and delete the library's own files."""
    for path in parts.iterdir():
        if path.name not in manifest.files:
            shutil.rmtree(path) if path.is_dir() else path.unlink()
    write_whole(parts / MANIFEST_FILE, manifest.to_json().encode())
    sync_tree(parts)
    target = folder / MODEL_FOLDER
    shutil.rmtree(target, ignore_errors=True)
    parts.rename(target)
    shutil.rmtree(folder / ".hub", ignore_errors=True)
    sync_folder(folder)
    return target


@contextmanager
def _told(spec: HubSpec, *, has_token: bool) -> Iterator[None]:
    """Turn errors of the hub, the network or the disk into a Refusal in words."""
    asked_with = (
        "the token of EVALAPP_HF_TOKEN"
        if has_token
        else "no token (the operator sets one in EVALAPP_HF_TOKEN)"
    )
    name, hub = spec.repository, spec.hub
    try:
        yield
    except GatedRepoError as error:
        raise Refusal(
            f"{name} is gated: its owner grants access. It was requested with {asked_with}; request access on"
            f" {hub}/{name} with that account, then try again"
        ) from error
    except DisabledRepoError as error:
        raise Refusal(f"{hub} has disabled {name}; choose another model") from error
    except RevisionNotFoundError as error:
        raise Refusal(
            f"{name} has no branch, tag or commit {shown(spec.revision)}; look at {hub}/{name}"
        ) from error
    except RepositoryNotFoundError as error:
        raise Refusal(
            f"{hub} has no model {name}, or it is private. It was requested with {asked_with}; check the"
            " spelling on the model's page"
        ) from error
    except HfHubHTTPError as error:
        raise Refusal(status_words(hub, error.response.status_code, asked_with)) from error
    except (httpx2.TransportError, ConnectionError) as error:
        raise Refusal(
            f"{hub} cannot be reached ({first_line(error)}); nothing half-done was registered: try again, and"
            " the download continues"
        ) from error
    except OSError as error:
        if isinstance(error, UnusableModelError) or error.strerror is None:
            raise Refusal(f"{hub} did not answer like a hub ({first_line(error)}); try again") from error
        raise Refusal(
            f"{error.strerror} while the model was written to {PARTS_FOLDER} in the run directory; free"
            " space, then try again: the download continues"
        ) from error
