"""One recipe an objective: its rows, how they become tokens, and its trainer.

`training.methods` has what each method trains.
"""

from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from run_directory.program import RunDirectory
from run_directory.protocol import SPEC_FILE
from run_directory.ranks import own_rank
from training.data import prepare, read_rows
from training.encoding import EncodedRow, encode_answers, encode_judgements, encode_pairs
from training.kto import class_weights, in_batches
from training.loop import (
    LoadedRun,
    PreparedRun,
    arguments,
    as_dataset,
    begin,
    load,
    open_tokenizer,
    train_and_publish,
)
from training.processes import in_several
from training.spec import DataRow, JudgedRow, PreferenceRow, TrainingReport, TrainingRow, TrainingSpec


@dataclass(frozen=True)
class Recipe:
    row_type: type[DataRow]
    encode: Callable[[list[Any], Any, TrainingSpec], list[Any]]
    """From the rows, the tokenizer and the spec to rows in tokens."""
    trainer: Callable[[LoadedRun, Any], Any]
    """From what is loaded and the callback to the trainer."""


def train(directory: RunDirectory) -> tuple[str, TrainingReport | None]:
    """Train what spec.json asks for; returns the closing sentence and the report.

    Continues from the newest checkpoint of an earlier attempt; on the CPU the losses are then the same as
    without the interruption. Leaves `adapter/`, or `model/` for the methods that end in a full model.
    """
    prepared, _ = prepared_run(directory)
    run = load(prepared)
    return train_and_publish(run, partial(make_trainer, run))


def prepared_run(directory: RunDirectory) -> tuple[PreparedRun, list[EncodedRow]]:
    """What spec.json asks for, its rows in tokens and accounted for, and every row as it was encoded."""
    spec = TrainingSpec.from_json(directory.spec, where=SPEC_FILE)
    recipe = RECIPES[spec.objective]
    begun = begin(directory, spec)
    rows = read_rows(directory.folder, spec, recipe.row_type)
    tokenizer = open_tokenizer(begun)
    encoded = recipe.encode(rows, tokenizer, spec)
    data = prepare(encoded, spec, begun.base.context)
    weights = class_weights(data.train) if spec.objective == "kto" else None
    return PreparedRun(begun, tokenizer, data, weights), encoded


def make_trainer(run: LoadedRun, callback: Any) -> Any:
    """The objective's trainer over the run's rows."""
    return RECIPES[run.spec.objective].trainer(run, callback)


def _supervised(run: LoadedRun, callback: Any) -> Any:
    """On conversations, the loss on the closing answer or on every assistant turn."""
    from trl import SFTConfig, SFTTrainer

    trainer = in_several(SFTTrainer) if own_rank().count > 1 else SFTTrainer
    return trainer(
        model=run.model,
        args=SFTConfig(
            **arguments(run),
            dataset_kwargs={"skip_prepare_dataset": True},
            pad_to_multiple_of=None,
            packing=False,
        ),
        train_dataset=as_dataset(run.data.train),
        eval_dataset=as_dataset(run.data.validation),
        processing_class=run.tokenizer,
        callbacks=[callback],
    )


def _direct_preference(run: LoadedRun, callback: Any) -> Any:
    """On pairs: the chosen answer more likely, the rejected one less, against the model at the start."""
    from trl import DPOConfig

    from training.trainers import PairTrainer

    return PairTrainer(
        interruption=run.directory.interruption,
        model=run.model,
        args=DPOConfig(**arguments(run), beta=run.spec.beta, precompute_ref_log_probs=True),
        train_dataset=as_dataset(run.data.train),
        eval_dataset=as_dataset(run.data.validation),
        processing_class=run.tokenizer,
        callbacks=[callback],
    )


def _kahneman_tversky(run: LoadedRun, callback: Any) -> Any:
    """On single answers, each good or bad, weighted so that both kinds count the same."""
    from trl import KTOConfig

    from training.trainers import JudgementTrainer

    spec, weights = run.spec, run.class_weights
    seed = None if run.is_in_order else spec.seed
    assert weights is not None
    return JudgementTrainer(
        interruption=run.directory.interruption,
        model=run.model,
        args=KTOConfig(
            **arguments(run),
            beta=spec.beta,
            desirable_weight=weights.desirable,
            undesirable_weight=weights.undesirable,
            precompute_ref_log_probs=True,
        ),
        train_dataset=as_dataset(in_batches(run.data.train, spec.batch_size, seed=seed)),
        eval_dataset=as_dataset(in_batches(run.data.validation, spec.batch_size, seed=seed)),
        processing_class=run.tokenizer,
        callbacks=[callback],
    )


RECIPES = {
    "sft": Recipe(
        TrainingRow,
        lambda rows, tokenizer, spec: encode_answers(rows, tokenizer, spec.loss_on),
        _supervised,
    ),
    "dpo": Recipe(
        PreferenceRow, lambda rows, tokenizer, _: encode_pairs(rows, tokenizer), _direct_preference
    ),
    "kto": Recipe(
        JudgedRow, lambda rows, tokenizer, _: encode_judgements(rows, tokenizer), _kahneman_tversky
    ),
}
