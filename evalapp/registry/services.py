"""Writes to the registry. Model files are checked unopened by run_directory before anything is stored."""

import hashlib
import json
import shutil
import tempfile
from pathlib import Path
from typing import IO, Any

from django.conf import settings
from django.db import transaction
from django.db.models import Max

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.jobs.models import Job
from evalapp.registry.archives import unpack_adapter
from evalapp.registry.folders import checked_folder, folder_of
from evalapp.registry.models import Model, ModelAlias, ModelKind, ModelVersion
from inference.spec import Candidate
from run_directory.adapters import CONFIG_FILE, WEIGHTS_FILE, Adapter, check_adapter
from run_directory.bases import Base, check_base
from run_directory.files import sha256_of, sync_folder, sync_tree
from run_directory.model_files import UnusableModelError
from run_directory.protocol import MANIFEST_FILE
from run_directory.records import RecordError

IMPORTED_MODEL_NAME = "Imported answers"
_ADAPTER_FILES = (WEIGHTS_FILE, CONFIG_FILE, MANIFEST_FILE)


def register_base(
    *, project: Project, name: str, folder: Path | str, by: User | None, label: str = "Base"
) -> ModelVersion:
    """Register a base model that lies in an allowed folder; its files stay where they are.

    Raises InvalidError when the folder is not allowed or cannot be used (no safetensors, tokenizer or
    chat template, damage), ConflictError when the project has a model of this name.
    """
    name = checked_name(name, of="the model")
    path = checked_folder(folder)
    base = _usable_base(path)
    with transaction.atomic():
        model, created = Model.objects.get_or_create(project=project, name=name, defaults={"created_by": by})
        if not created:
            message = f"The project has a model called “{name}” already. Choose another name."
            raise ConflictError(message, fields={"name": [message]})
        return _add_version(
            model,
            by=by,
            label=label,
            kind=ModelKind.BASE,
            path=str(path),
            content_hash=base.fingerprint,
            size_bytes=sum(file.stat().st_size for file in path.iterdir() if file.is_file()),
            config={
                "model_type": base.model_type,
                "parameters": base.parameters,
                "context": base.context,
                "chat_template_sha256": base.chat_template_sha256,
                "config_sha256": sha256_of(path / "config.json"),
            },
        )


@transaction.atomic
def register_prompt(
    *,
    project: Project,
    base: ModelVersion,
    label: str,
    system_prompt: str,
    prompt_template: str,
    by: User | None,
) -> ModelVersion:
    """Register other words around the prompt of a base: a system prompt, a template with {prompt}, or both.

    Raises InvalidError when both are empty or the template lacks {prompt}.
    """
    _require_base(project, base)
    candidate = Candidate(
        key=label or "candidate",
        kind="prompt",
        system_prompt=system_prompt or None,
        template=prompt_template or None,
    )
    try:
        candidate.check("The prompt")
    except RecordError as error:
        message = _sentence(str(error))
        raise InvalidError(message, fields={"prompt_template": [message]}) from error
    words = json.dumps([system_prompt, prompt_template], ensure_ascii=False)
    return _add_version(
        base.model,
        by=by,
        label=label,
        kind=ModelKind.PROMPT,
        base=base,
        system_prompt=system_prompt,
        prompt_template=prompt_template,
        content_hash=hashlib.sha256(words.encode()).hexdigest(),
        is_simulated=base.is_simulated,
    )


def register_adapter(
    *,
    project: Project,
    base: ModelVersion,
    label: str,
    folder: Path | str,
    by: User | None,
    parent: ModelVersion | None = None,
    is_simulated: bool = False,
    job: Job | None = None,
) -> ModelVersion:
    """Check a LoRA adapter against its base and keep a copy of it among the artifacts.

    ``parent`` is the adapter it was continued from. The copy is there whole or not at all, and named by
    its content, so repeating the call after a kill copies nothing twice. Raises InvalidError when the
    adapter cannot be used with this base.
    """
    _require_base(project, base)
    adapter = _usable_adapter(Path(folder), base)
    path = _keep_adapter(adapter)
    settings_of = json.loads((Path(settings.ARTIFACTS_FOLDER) / path / CONFIG_FILE).read_text())
    with transaction.atomic():
        return _add_version(
            base.model,
            by=by,
            label=label,
            kind=ModelKind.LORA,
            base=base,
            parent=parent,
            path=path,
            content_hash=adapter.sha256,
            size_bytes=(Path(settings.ARTIFACTS_FOLDER) / path / WEIGHTS_FILE).stat().st_size,
            config={
                "rank": adapter.rank,
                "alpha": settings_of.get("lora_alpha"),
                "dropout": settings_of.get("lora_dropout"),
                "target_modules": settings_of.get("target_modules"),
                "peft_version": settings_of.get("peft_version"),
                "trained_here": adapter.manifest is not None and job is not None,
            },
            is_simulated=is_simulated or base.is_simulated or bool(parent and parent.is_simulated),
            job=job,
        )


def register_adapter_upload(
    *, project: Project, base: ModelVersion, label: str, upload: IO[bytes], by: User | None
) -> ModelVersion:
    """The same for a zip that somebody sent; see ``unpack_adapter`` for what is refused."""
    with tempfile.TemporaryDirectory(dir=settings.FILE_UPLOAD_TEMP_DIR, prefix="adapter-") as folder:
        unpack_adapter(upload, Path(folder))
        return register_adapter(project=project, base=base, label=label, folder=folder, by=by)


def register_adapter_folder(
    *, project: Project, base: ModelVersion, label: str, folder: Path | str, by: User | None
) -> ModelVersion:
    """The same for a folder on the server, which must be an allowed one."""
    return register_adapter(project=project, base=base, label=label, folder=checked_folder(folder), by=by)


@transaction.atomic
def register_imported(*, project: Project, label: str, by: User | None) -> ModelVersion:
    """A candidate whose answers are made elsewhere and imported."""
    model, _ = Model.objects.get_or_create(
        project=project, name=IMPORTED_MODEL_NAME, defaults={"created_by": by}
    )
    return _add_version(model, by=by, label=label, kind=ModelKind.IMPORTED)


@transaction.atomic
def set_alias(*, version: ModelVersion, alias: str, by: User | None) -> None:
    """Give an alias ("champion", "challenger", or "" for none); a project has one holder of each."""
    if alias and alias not in ModelAlias.values:
        message = f"There is no alias {alias!r}; choose champion or challenger."
        raise InvalidError(message)
    # The project's row serialises two people who crown different versions at once.
    Project.objects.select_for_update().get(pk=version.project_id)
    if alias:
        holders = ModelVersion.objects.filter(project=version.project_id, alias=alias)
        holders.exclude(pk=version.pk).update(alias="")
    version.alias = alias
    version.save(update_fields=["alias"])
    record("model.alias_set", by=by, obj=version, project=version.project, data={"alias": alias})


def _add_version(model: Model, *, by: User | None, label: str, kind: str, **fields: Any) -> ModelVersion:
    label = checked_name(label, of="the version", field="label", longest=80)
    locked = Model.objects.select_for_update().select_related("project").get(pk=model.pk)
    if locked.versions.filter(label=label).exists():
        message = f"“{locked.name}” has a version called “{label}” already. Choose another label."
        raise ConflictError(message, fields={"label": [message]})
    number = (locked.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = ModelVersion.objects.create(
        model=locked, project=locked.project, number=number, label=label, kind=kind, created_by=by, **fields
    )
    data = {"kind": kind, "content_hash": version.content_hash}
    record("model.registered", by=by, obj=version, project=locked.project, data=data)
    return version


def _require_base(project: Project, base: ModelVersion) -> None:
    if base.project_id != project.pk or base.kind != ModelKind.BASE:
        message = "Choose a base model of this project."
        raise InvalidError(message, fields={"base": [message]})


def _usable_base(folder: Path) -> Base:
    try:
        return check_base(folder)
    except (UnusableModelError, OSError) as error:
        message = _sentence(str(error))
        raise InvalidError(message, fields={"folder": [message]}) from error


def _usable_adapter(folder: Path, base: ModelVersion) -> Adapter:
    try:
        return check_adapter(folder, check_base(folder_of(base)))
    except (UnusableModelError, OSError) as error:
        # The folder of an upload is ours and means nothing to the person who sent it.
        text = str(error).replace(f"{folder}/", "").replace(str(folder), "the adapter's folder")
        message = _sentence(text)
        raise InvalidError(message, fields={"folder": [message], "archive": [message]}) from error


def _keep_adapter(adapter: Adapter) -> str:
    """Copy into artifacts/adapters/<hash of the files>; returns that path."""
    files = [name for name in _ADAPTER_FILES if (adapter.folder / name).is_file()]
    hashes = {name: sha256_of(adapter.folder / name) for name in files}
    digest = hashlib.sha256(json.dumps(hashes, sort_keys=True).encode()).hexdigest()
    root = Path(settings.ARTIFACTS_FOLDER) / "adapters"
    target = root / digest
    if not target.is_dir():
        root.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=root, prefix=".adapter-") as work:
            whole = Path(work) / "adapter"
            whole.mkdir(mode=0o755)
            for name in files:
                shutil.copyfile(adapter.folder / name, whole / name)
            sync_tree(whole)
            if not target.is_dir():
                whole.rename(target)
        sync_folder(root)
    return str(target.relative_to(settings.ARTIFACTS_FOLDER))


def _sentence(text: str) -> str:
    """A library's message as a sentence of ours."""
    text = text.strip()
    ended = text if text.endswith((".", "!", "?")) else f"{text}."
    # A path or a file's name keeps its own spelling.
    return ended if "." in ended.split()[0].rstrip(".:") else ended[:1].upper() + ended[1:]
