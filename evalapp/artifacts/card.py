"""A model's card in the hub's format: a README.md from recorded facts, which also states what is unknown.

People are not named, because a file outlives their accounts. What they wrote is escaped, so that it is not
read as Markdown.
"""

import re
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import yaml

from evalapp.accounts.models import User
from evalapp.artifacts.card_evidence import evidence_sections, metadata_of
from evalapp.artifacts.card_text import code, escaped, joined, table
from evalapp.artifacts.evidence import Evidence, evidence_of
from evalapp.artifacts.models import MergedExport
from evalapp.artifacts.origins import Origin, contamination_words, origin_of
from evalapp.datasets.models import DatasetVersion
from evalapp.datasets.queries import TRAINING_SPLITS
from evalapp.registry.models import EXTERNAL_KINDS, ModelKind, ModelVersion
from evalapp.runs.contamination.contamination_decisions import decisions_behind
from evalapp.runs.models import ContaminationDecision, Run
from evalapp.runs.queries import split_counts
from run_directory.words import counted

_METHOD_TAGS = {
    "lora": "lora",
    "rslora": "lora",
    "dora": "dora",
    "qlora": "qlora",
    "full": "full-fine-tuning",
}
_SETTINGS = (
    ("learning_rate", "learning rate"), ("schedule", "schedule"), ("warmup_share", "warm-up share"),
    ("weight_decay", "weight decay"), ("max_gradient_norm", "largest gradient norm"), ("batch_size",
    "rows a forward pass"),
    ("accumulation_steps", "forward passes a step"), ("epochs", "epochs asked for"), ("max_steps",
    "steps asked for"),
    ("loss_on", "loss on"), ("beta", "beta"), ("patience", "patience of early stopping"), ("validation_share",
    "share to hold out"),
    ("seed", "seed"), ("dtype", "number format asked for"),
)  # fmt: skip
_ONLY_VALIDATED = frozenset({"patience", "validation_share"})


def card_of(version: ModelVersion, *, reader: User | None, merged: MergedExport | None = None) -> str:
    """The whole README.md as ``reader`` may see it; with ``merged``, that of the merged export."""
    origin, evidence = origin_of(version), evidence_of(version, reader=reader)
    front = yaml.safe_dump(
        _metadata(origin, evidence, merged), sort_keys=False, allow_unicode=True, width=110
    )
    body = "\n\n".join(part for part in _parts(origin, evidence, merged) if part)
    return f"---\n{front}---\n\n{body}\n"


def body_of(card: str) -> str:
    """The card without its metadata, for the page."""
    return card.partition("\n---\n")[2].lstrip()


def _metadata(origin: Origin, evidence: Evidence, merged: MergedExport | None) -> dict[str, Any]:
    version = origin.version
    hub = origin.hub
    is_adapter = version.kind == ModelKind.LORA and merged is None
    method = origin.training.spec.get("method", "") if origin.training else ""
    found: dict[str, Any] = {}
    if hub.get("repository") and version.base is not None:
        found["base_model"] = hub["repository"]
    if hub.get("repository") and version.is_tuned:
        found["base_model_relation"] = "adapter" if is_adapter else "finetune"
    elif hub.get("license"):
        # Not for tuned weights, whose licence is their owner's choice.
        found["license"] = hub["license"]
    if version.kind not in EXTERNAL_KINDS:
        found["library_name"] = "peft" if is_adapter else "transformers"
    found["pipeline_tag"] = "text-generation"
    objective = origin.training.spec.get("objective", "") if origin.training else ""
    tags = ["evalapp", _METHOD_TAGS.get(method, ""), objective, "merged" if merged else ""]
    found["tags"] = [tag for tag in dict.fromkeys(tags) if tag]
    return {**found, **metadata_of(version, evidence)}


def _parts(origin: Origin, evidence: Evidence, merged: MergedExport | None) -> Iterator[str]:
    version = origin.version
    yield f"# {escaped(version.label)}"
    yield _opening(origin, merged)
    yield _marks(version)
    yield from _lineage(origin)
    yield from _words(version)
    if origin.training is not None:
        yield from _data(origin.training)
        yield from _training(origin)
        yield "## Training rows and evaluation"
        yield contamination_words(origin.training)
        yield from map(_allowed, decisions_behind(version))
    yield from evidence_sections(evidence)
    yield from _files(version, merged)
    yield from _use(version, merged)
    yield "## What is not known"
    yield "\n".join(f"- {line}" for line in _unknowns(origin, evidence))


def _opening(origin: Origin, merged: MergedExport | None) -> str:
    version = origin.version
    of = escaped(version.model.name)
    kinds = {
        ModelKind.LORA: f"A LoRA adapter for {of}",
        ModelKind.FULL: f"A full fine-tune of {of}",
        ModelKind.BASE: f"The base model {of}",
        ModelKind.PROMPT: f"{of} behind a prompt",
        ModelKind.ENDPOINT: f"An API model ({of})",
        ModelKind.IMPORTED: "Imported outputs",
    }
    what = f"{of} with a LoRA adapter merged into its weights" if merged else kinds[ModelKind(version.kind)]
    alias = f" It is the project's {version.get_alias_display().lower()}." if version.alias else ""
    return f"{what}, version {version.number}, registered on {version.created_at:%d %B %Y}.{alias}"


def _marks(version: ModelVersion) -> str:
    said = []
    if version.is_simulated:
        said.append("**Simulated:** this version contains reviews by simulated reviewers.")
    if version.is_recorded:
        said.append(
            "**Recorded:** this version was recorded in another installation and imported with its outputs,"
            " without its weights."
        )
    return "\n>\n".join(f"> {line}" for line in said)


def _lineage(origin: Origin) -> Iterator[str]:
    version = origin.version
    yield "## Lineage"
    lines = [
        f"continued from the adapter {escaped(ancestor.label)} ({code(ancestor.content_hash)})"
        for ancestor in origin.ancestors
    ]
    if version.base is not None:
        lines.append(
            f"on {escaped(version.base.model.name)}, {escaped(version.base.label)}"
            f" ({code(version.base.content_hash)})"
        )
    hub = origin.hub
    if hub:
        lines.append(
            f"which is {escaped(hub['repository'])} of {escaped(hub['hub'])} at commit {code(hub['commit'])}"
        )
        if hub.get("license"):
            lines.append(f"whose card there names the licence {escaped(hub['license'])}")
    lines += [
        f"trained on the export of feedback “{escaped(export.name)}” (export {export.pk})"
        for step in origin.lineage.steps
        for export in step.exports
    ]
    if origin.training is not None:
        lines.insert(0, f"made by the training “{escaped(origin.training.name)}” (run {origin.training.pk})")
    elif version.is_tuned:
        lines.insert(0, "trained elsewhere, then added here")
    yield "\n".join(f"- {line}" for line in lines) or "Its origin is not known."


def _words(version: ModelVersion) -> Iterator[str]:
    if not (version.system_prompt or version.prompt_template):
        return
    yield "## Prompt template"
    for name, text in (("System prompt", version.system_prompt), ("Template", version.prompt_template)):
        if text:
            yield f"{name}:\n\n{_quoted(text)}"


def _quoted(text: str) -> str:
    """A fenced block that the text cannot close."""
    longest = max((len(run) for run in re.findall(r"`+", text)), default=0)
    fence = "`" * max(3, longest + 1)
    return f"{fence}text\n{text}\n{fence}"


def _data(training: Run) -> Iterator[str]:
    yield "## Training data"
    version = training.dataset_version
    rows = training.rows
    yield f"{escaped(version)} ({code(version.content_hash)}), {_counts(version)}. {_provenance(version)}"
    said = " ".join(training.left_out)
    yield (
        f"Of {rows.get('in', 0):,} rows, {rows.get('used', 0):,} were kept whole,"
        f" {rows.get('truncated', 0):,} cut at the end and {rows.get('dropped', 0):,}"
        f" dropped{_reasons(rows.get('reasons', {}))}. {rows.get('train', 0):,} were there to train on,"
        f" {rows.get('validation', 0):,} held out to choose the step. {_read(training)}"
        + (f" {said}" if said else "")
    )


def _read(training: Run) -> str:
    if training.passes is None or training.rows_read is None:
        return "How many of them the training used is not known."
    return (
        f"The training read {training.rows_read:,} of them, in {counted(f'{training.passes:.2g}', 'pass')}."
    )


def _allowed(decision: ContaminationDecision) -> str:
    return (
        f"A training on {escaped(decision.dataset_version)} was allowed although"
        f" {len(decision.training_rows):,} of its rows are also used for evaluation, by an owner's decision"
        f" of {decision.created_at:%d %B %Y}:"
        f" “{escaped(decision.reason)}”. A score on these rows measures memorisation."
    )


def _counts(version: DatasetVersion) -> str:
    named = [f"{count:,} {label.lower()}" for label, count in split_counts(version)]
    return f"rows by split: {joined(named)}"


def _provenance(version: DatasetVersion) -> str:
    said = []
    if version.source:
        said.append(f"Made from {escaped(version.source)}.")
    feedback = version.examples.filter(split__in=TRAINING_SPLITS).exclude(provenance={}).count()
    if feedback:
        said.append(f"{feedback:,} of its training rows come from reviews; each says from which.")
    if version.is_simulated:
        said.append("It contains reviews by simulated reviewers.")
    if version.is_recorded:
        said.append("It was recorded in another installation and imported.")
    return " ".join(said) or "The origin of its rows is not recorded."


def _reasons(reasons: dict[str, Any]) -> str:
    named = [f"{escaped(reason.replace('_', ' '))}: {count:,}" for reason, count in reasons.items()]
    return f" ({'; '.join(named)})" if named else ""


def _training(origin: Origin) -> Iterator[str]:
    training = origin.training
    assert training is not None
    result = training.result
    yield "## Training"
    yield f"{training.method_name}."
    yield table(("setting", "value"), _settings(training))
    losses = origin.losses
    passes = counted(f"{result.get('epochs', 0):.3g}", "pass")
    said = [f"{counted(int(result.get('steps', 0)), 'step')}, {passes} through the rows"]
    if losses:
        said.append(f"training loss from {losses['first']:.4g} to {losses['last']:.4g}")
    if "validation" in losses:
        said.append(f"validation loss {losses['validation']:.4g} at the kept step {result.get('kept_step')}")
    elif result.get("kept_step"):
        said.append(f"the weights are of step {result['kept_step']}; no validation loss was measured for it")
    yield f"{joined(said)}."
    if training.stopped_early:
        yield f"It stopped early: {training.stopped_early}."
    if result.get("trainable_parameters"):
        yield (
            f"{result['trainable_parameters']:,} of {result['total_parameters']:,} weights were trained "
            f"({100 * result['trainable_share']:.3g}%)."
        )
    yield "### Environment"
    packages = [f"{escaped(name)} {escaped(version)}" for name, version in result.get("packages", {}).items()]
    yield (
        f"Ran on {escaped(training.device) or 'a device that is not recorded'},"
        f" {_hours(result)}{joined(packages) or 'versions not recorded'}."
    )


def _hours(result: dict[str, Any]) -> str:
    seconds = result.get("seconds")
    return f"for {seconds / 60:,.1f} minutes, with " if seconds else "with "


def _settings(training: Run) -> Iterable[Sequence[str]]:
    spec, result, objective = training.spec, training.result, training.objective
    uses = {"beta": objective.uses_beta, "loss_on": objective.uses_loss_on} if objective is not None else {}
    lora = spec.get("lora", {})
    if spec.get("method") != "full":
        modules = lora.get("target_modules", "")
        yield "rank", str(lora.get("rank", ""))
        yield "alpha", str(lora.get("alpha", ""))
        yield "dropout", str(lora.get("dropout", ""))
        yield "layers", escaped(modules if isinstance(modules, str) else joined(list(modules)))
    for name, words in _SETTINGS:
        value = result.get(name) if name == "learning_rate" else spec.get(name)
        if value is None or not uses.get(name, True):
            continue
        # Without validation rows, these settings have no effect.
        is_idle = name in _ONLY_VALIDATED and result.get("rows", {}).get("validation") == 0 and value
        yield words, f"{escaped(value)}{' (without effect: no row was held out)' if is_idle else ''}"
    if result.get("max_length"):
        yield "longest row, in tokens", f"{result['max_length']:,}"


def _files(version: ModelVersion, merged: MergedExport | None) -> Iterator[str]:
    if merged is not None:
        report = merged.result
        check = report["compared"]
        yield "## Merged weights"
        yield (
            f"Adapter {code(version.content_hash)} merged into base {code(report['base_fingerprint'])}, in"
            f" {report['dtype']}. The written model was opened again and compared with the adapter on its"
            f" base over {check['positions']:,} tokens of {check['prompts']} prompts: the likeliest next"
            f" token is the same at {check['same_next_token']:,}; the mean distance of the probabilities is"
            f" {check['mean_distance']:.2g} (total variation)."
        )
        rows = [(code(name), code(sha256)) for name, sha256 in report["files"].items()]
        yield table(("file", "SHA-256"), rows)
        return
    if version.content_hash:
        yield "## Identity"
        what = "SHA-256 of adapter_model.safetensors" if version.kind == ModelKind.LORA else "content hash"
        size = f", {version.size_bytes:,} bytes" if version.size_bytes else ""
        yield f"{what}: {code(version.content_hash)}{size}."


def _use(version: ModelVersion, merged: MergedExport | None) -> Iterator[str]:
    if version.kind == ModelKind.LORA and merged is None:
        yield "## How to load it"
        yield _quoted(
            "from peft import PeftModel\nfrom transformers import AutoModelForCausalLM\n\n"
            'base = AutoModelForCausalLM.from_pretrained("BASE")  # the base of the content hash above\n'
            'model = PeftModel.from_pretrained(base, "THIS_FOLDER")'
        ).replace("```text", "```python")
    elif version.kind == ModelKind.FULL or merged is not None:
        yield "## How to load it"
        yield _quoted(
            "from transformers import AutoModelForCausalLM, AutoTokenizer\n\n"
            'model = AutoModelForCausalLM.from_pretrained("THIS_FOLDER")\n'
            'tokenizer = AutoTokenizer.from_pretrained("THIS_FOLDER")'
        ).replace("```text", "```python")


def _unknowns(origin: Origin, evidence: Evidence) -> Iterator[str]:
    version, hub = origin.version, origin.hub
    yield "What its base model was trained on, and whether that included the evaluation's prompts."
    if origin.data.unknown:
        yield f"What it was trained on: {escaped(origin.data.unknown)}."
    if version.kind not in EXTERNAL_KINDS:
        if not hub:
            yield "The base's licence and publisher: not recorded here."
        elif not hub.get("license"):
            yield "The base's licence: its card on the hub names none."
        elif version.is_tuned:
            yield "The licence of this version: not recorded here."
    if origin.training is not None and origin.training.spec.get("method") == "qlora":
        yield (
            "How it answers over the 4-bit base that it was trained on: here it is evaluated, and merged,"
            " over the base's own weights."
        )
    reviewed = [each for each in evidence.campaigns if each.row is not None and each.row.total.defined]
    # Campaigns whose results are not computed yet have ratings, too.
    reviewed += [each for each in evidence.campaigns if each.freshness and not each.freshness.computed_at]
    if not reviewed and not evidence.withheld:
        yield "Human scores: nobody has rated its answers on a scale here."
    if evidence.withheld:
        yield (
            f"The results of {evidence.withheld} campaign(s) that the reader of this card still reviews blind"
            " are left out."
        )
    if evidence.more:
        yield f"{evidence.more} older campaign(s) are left out of this card."
    yield "Its answers to prompts unlike those of the evaluation: not measured here."
    yield ("Whether it is safe or fair for a given use: not measured here, unless by a criterion above.")
