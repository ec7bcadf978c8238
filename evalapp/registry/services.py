"""Write operations on the registry. run_directory checks model files, without loading them, before anything
is stored.
"""

import hashlib
import json
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, NamedTuple

from django.db import transaction
from django.db.models import Max

from evalapp.accounts.models import Project, User
from evalapp.audit.services import record
from evalapp.core.errors import ConflictError, InvalidError
from evalapp.core.names import checked_name
from evalapp.jobs.models import Job
from evalapp.registry.adapters import AdapterFolder, KeptAdapter, keep_adapter
from evalapp.registry.architectures import why_unknown
from evalapp.registry.archives import AdapterArchive
from evalapp.registry.chat_templates import checked_template
from evalapp.registry.folders import checked_folder, folder_of
from evalapp.registry.full_models import keep_model, with_template
from evalapp.registry.models import STANDING_KINDS, Model, ModelAlias, ModelKind, ModelVersion
from evalapp.registry.quantized import why_not_trainable
from evalapp.registry.signals import champion_changed
from inference.spec import Candidate
from run_directory.bases import Base, check_base
from run_directory.model_files import UnusableModelError, reading
from run_directory.quantization import why_not_registrable
from run_directory.records import RecordError
from run_directory.words import as_sentence

IMPORTED_MODEL_NAME = "Imported outputs"


class FewShot(NamedTuple):
    """Few-shot examples of a prompt: rows of a dataset version's training split, and their turns."""

    dataset_version: int
    name: str
    rows: tuple[int, ...]
    turns: tuple[dict[str, str], ...]


def register_base(
    *,
    project: Project,
    name: str,
    folder: Path | str,
    by: User | None,
    label: str = "Base",
    chat_template: str = "",
    facts: dict[str, Any] | None = None,
    job: Job | None = None,
) -> ModelVersion:
    """Register a base model in an allowed folder; its files stay there.

    A base with quantised weights that vLLM can load is registered for generation only; it cannot be trained
    or merged into.

    ``chat_template`` adds or replaces the template, in an artifact folder with links to the model's files.
    ``facts`` are further entries for ``config``. Raises InvalidError when the folder is not allowed or
    unusable (no safetensors, tokenizer or chat template; an unknown architecture or quantisation; damage),
    and ConflictError when the project has a model of this name.
    """
    name = checked_name(name, of="the model")
    path = checked_folder(folder)
    if chat_template := checked_template(chat_template):
        path = with_template(path, chat_template)
    with _refusals("folder"), reading(path):
        base = check_base(path)
        if unknown := why_unknown(base.model_type):
            raise UnusableModelError(unknown)
        if reason := why_not_registrable(base.quantization):
            raise UnusableModelError(f"the model in {path} {reason}")
        size = sum(file.stat().st_size for file in path.iterdir() if file.is_file())
    with transaction.atomic():
        model, created = Model.objects.get_or_create(project=project, name=name, defaults={"created_by": by})
        if not created:
            raise ConflictError(
                f"The project has a model called “{name}” already. Choose another name.", field="name"
            )
        return add_version(
            model,
            by=by,
            label=label,
            kind=ModelKind.BASE,
            path=str(path),
            content_hash=base.fingerprint,
            size_bytes=size,
            config={**_facts_of(base), **({"gave_template": True} if chat_template else {}), **(facts or {})},
            job=job,
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
    examples: FewShot | None = None,
) -> ModelVersion:
    """Register a prompt on a base: a system prompt, a template with {prompt}, examples, or several of these.

    Raises InvalidError when there are none or the template lacks {prompt}.
    """
    _require_base(project, base)
    shown = examples is not None and bool(examples.turns)
    checked_words(label, system_prompt, prompt_template, may_be_empty=shown)
    said: list[Any] = [system_prompt, prompt_template]
    words = json.dumps([*said, examples.turns] if shown and examples else said, ensure_ascii=False)
    return add_version(
        base.model,
        by=by,
        label=label,
        kind=ModelKind.PROMPT,
        base=base,
        system_prompt=system_prompt,
        prompt_template=prompt_template,
        config={"examples": examples._asdict()} if shown and examples else {},
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
    """Check a LoRA adapter against its base and copy it to the artifacts.

    ``parent`` is the adapter it was continued from. The copy is atomic and named by its content, so a repeat
    after a kill copies nothing twice. Raises InvalidError when the adapter cannot be used with this base.
    """
    _require_base(project, base)
    _require_plain(base)
    with _refusals("folder"):
        kept = keep_adapter(AdapterFolder(Path(folder)), check_base(folder_of(base)))
    return _add_adapter(
        kept, base=base, label=label, by=by, parent=parent, is_simulated=is_simulated, job=job
    )


def register_trained_model(
    *,
    project: Project,
    base: ModelVersion,
    label: str,
    folder: Path,
    by: User | None,
    is_simulated: bool = False,
    job: Job | None = None,
) -> ModelVersion:
    """Store a full model trained from a base: a candidate, and a base for others.

    A repeat after a kill stores nothing twice. Raises InvalidError when it is unusable.
    """
    _require_base(project, base)
    with _refusals("folder"), reading(folder):
        kept = keep_model(folder)
    with transaction.atomic():
        return add_version(
            base.model,
            by=by,
            label=label,
            kind=ModelKind.FULL,
            base=base,
            path=kept.path,
            content_hash=kept.base.fingerprint,
            size_bytes=kept.size_bytes,
            config=_facts_of(kept.base),
            is_simulated=is_simulated or base.is_simulated,
            job=job,
        )


def register_adapter_upload(
    *, project: Project, base: ModelVersion, label: str, upload: IO[bytes], by: User | None
) -> ModelVersion:
    """`register_adapter` for an uploaded zip; see ``AdapterArchive`` for what is rejected."""
    _require_base(project, base)
    _require_plain(base)
    with _refusals("archive"), AdapterArchive(upload) as archive:
        kept = keep_adapter(archive, check_base(folder_of(base)))
    return _add_adapter(kept, base=base, label=label, by=by)


def register_adapter_folder(
    *, project: Project, base: ModelVersion, label: str, folder: Path | str, by: User | None
) -> ModelVersion:
    """`register_adapter` for a folder on the server, which must be an allowed one."""
    folder = checked_folder(folder)
    return register_adapter(project=project, base=base, label=label, folder=folder, by=by)


@transaction.atomic
def register_imported(*, project: Project, label: str, by: User | None) -> ModelVersion:
    """Register a candidate whose outputs are imported."""
    model, _ = Model.objects.get_or_create(
        project=project, name=IMPORTED_MODEL_NAME, defaults={"created_by": by}
    )
    return add_version(model, by=by, label=label, kind=ModelKind.IMPORTED)


@transaction.atomic
def set_alias(*, version: ModelVersion, alias: str, by: User | None, decision: int | None = None) -> None:
    """Set a version's alias ("champion", "challenger", or "" for none); it is taken from the project's
    previous holder.

    ``decision`` is the id of the decision behind it, for the audit log. A new champion sends
    `champion_changed`. Raises InvalidError for an unknown alias, and ConflictError for a version that is set
    aside.
    """
    if alias and alias not in ModelAlias.values:
        raise InvalidError(f"There is no alias {alias!r}; choose champion or challenger.")
    # Locking the project serialises concurrent changes of its champion.
    Project.objects.select_for_update().get(pk=version.project_id)
    version.refresh_from_db(fields=["set_aside_at"])
    if alias and version.set_aside_at is not None:
        raise ConflictError(
            f"“{version.label}” is set aside for removal. Keep it first, then give it an alias."
        )
    if alias:
        holders = ModelVersion.objects.filter(project=version.project_id, alias=alias)
        holders.exclude(pk=version.pk).update(alias="")
    version.alias = alias
    version.save(update_fields=["alias"])
    data = {"alias": alias} if decision is None else {"alias": alias, "decision": decision}
    record("model.alias_set", by=by, obj=version, project=version.project, data=data)
    if alias == ModelAlias.CHAMPION:
        champion_changed.send(ModelVersion, version=version, by=by, decision=decision)


def checked_words(
    label: str, system_prompt: str, prompt_template: str, *, may_be_empty: bool = False
) -> None:
    """Raises InvalidError if the template lacks {prompt}, or both are empty although required."""
    if may_be_empty and not system_prompt and not prompt_template:
        return
    candidate = Candidate(
        key=label or "candidate",
        kind="prompt",
        system_prompt=system_prompt or None,
        template=prompt_template or None,
    )
    try:
        candidate.check("The prompt")
    except RecordError as error:
        raise InvalidError(as_sentence(str(error)), field="prompt_template") from error


def add_version(model: Model, *, by: User | None, label: str, kind: str, **fields: Any) -> ModelVersion:
    """Add the model's next version. Raises ConflictError if the label is taken. Call inside a transaction."""
    label = checked_name(label, of="the version", field="label", longest=80)
    locked = Model.objects.select_for_update().select_related("project").get(pk=model.pk)
    if locked.versions.filter(label=label).exists():
        raise ConflictError(
            f"“{locked.name}” has a version called “{label}” already. Choose another label.", field="label"
        )
    number = (locked.versions.aggregate(last=Max("number"))["last"] or 0) + 1
    version = ModelVersion.objects.create(
        model=locked, project=locked.project, number=number, label=label, kind=kind, created_by=by, **fields
    )
    data = {"kind": kind, "content_hash": version.content_hash}
    record("model.registered", by=by, obj=version, project=locked.project, data=data)
    return version


def _add_adapter(
    kept: KeptAdapter,
    *,
    base: ModelVersion,
    label: str,
    by: User | None,
    parent: ModelVersion | None = None,
    is_simulated: bool = False,
    job: Job | None = None,
) -> ModelVersion:
    lora = kept.adapter.lora
    modules = lora.target_modules
    with transaction.atomic():
        return add_version(
            base.model,
            by=by,
            label=label,
            kind=ModelKind.LORA,
            base=base,
            parent=parent,
            path=kept.path,
            content_hash=kept.adapter.sha256,
            size_bytes=kept.size_bytes,
            config={
                "rank": lora.r,
                "alpha": lora.lora_alpha,
                "dropout": lora.lora_dropout,
                "rslora": lora.use_rslora,
                "target_modules": modules if isinstance(modules, str) else list(modules),
                "peft_version": lora.peft_version,
                "trained_here": kept.adapter.manifest is not None and job is not None,
            },
            is_simulated=is_simulated or base.is_simulated or bool(parent and parent.is_simulated),
            job=job,
        )


def _facts_of(base: Base) -> dict[str, Any]:
    return {
        "model_type": base.model_type,
        "parameters": base.parameters,
        "context": base.context,
        **({"quantization": base.quantization} if base.quantization else {}),
        **base.settings,
    }


def _require_base(project: Project, base: ModelVersion) -> None:
    if base.project_id != project.pk or base.kind not in STANDING_KINDS:
        raise InvalidError("Choose a base model of this project.", field="base")


def _require_plain(base: ModelVersion) -> None:
    if message := why_not_trainable(base):
        raise InvalidError(message, field="base")


@contextmanager
def _refusals(field: str) -> Iterator[None]:
    """Turn UnusableModelError in the block into InvalidError at the form's field."""
    try:
        yield
    except UnusableModelError as error:
        raise InvalidError(as_sentence(str(error)), field=field) from error
