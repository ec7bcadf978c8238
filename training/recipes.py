"""One straight line per objective; `training.methods` has what each method trains."""

from typing import Any

from run_directory.program import RunDirectory
from run_directory.protocol import SPEC_FILE
from training.data import prepare, read_rows
from training.encoding import encode_answers, encode_judgements, encode_pairs
from training.kto import class_weights, in_batches
from training.loop import arguments, as_dataset, begin, load, open_tokenizer, train_and_publish
from training.spec import JudgedRow, PreferenceRow, TrainingReport, TrainingRow, TrainingSpec


def train(directory: RunDirectory) -> tuple[str, TrainingReport]:
    """Train what spec.json asks for; returns the closing sentence and the report.

    Continues from the newest checkpoint of an earlier attempt; on the CPU the losses are then the same as
    without the interruption. Leaves `adapter/`, or `model/` for the methods that end in a whole model.
    """
    spec = TrainingSpec.from_json(directory.spec, where=SPEC_FILE)
    recipes = {
        "sft": supervised_fine_tuning,
        "dpo": direct_preference_optimisation,
        "kto": kahneman_tversky_optimisation,
    }
    return recipes[spec.objective](directory, spec)


def supervised_fine_tuning(directory: RunDirectory, spec: TrainingSpec) -> tuple[str, TrainingReport]:
    """On conversations, the loss on the closing answer or on every assistant turn."""
    begun = begin(directory, spec)
    rows = read_rows(directory.folder, spec, TrainingRow)
    tokenizer = open_tokenizer(begun)
    data = prepare(encode_answers(rows, tokenizer, spec.loss_on), spec, begun.base.context)
    run = load(begun, tokenizer, data)

    def trainer(callback: Any) -> Any:
        from trl import SFTConfig, SFTTrainer

        return SFTTrainer(
            model=run.model,
            args=SFTConfig(
                **arguments(run),
                dataset_kwargs={"skip_prepare_dataset": True},
                pad_to_multiple_of=None,
                packing=False,
            ),
            train_dataset=as_dataset(data.train),
            eval_dataset=as_dataset(data.validation),
            processing_class=tokenizer,
            callbacks=[callback],
        )

    return train_and_publish(run, trainer)


def direct_preference_optimisation(directory: RunDirectory, spec: TrainingSpec) -> tuple[str, TrainingReport]:
    """On pairs: the chosen answer more likely, the rejected one less, against the model at the start."""
    begun = begin(directory, spec)
    rows = read_rows(directory.folder, spec, PreferenceRow)
    tokenizer = open_tokenizer(begun)
    data = prepare(encode_pairs(rows, tokenizer), spec, begun.base.context)
    run = load(begun, tokenizer, data)

    def trainer(callback: Any) -> Any:
        from trl import DPOConfig

        from training.trainers import PairTrainer

        return PairTrainer(
            interruption=directory.interruption,
            model=run.model,
            args=DPOConfig(**arguments(run), beta=spec.beta, precompute_ref_log_probs=True),
            train_dataset=as_dataset(data.train),
            eval_dataset=as_dataset(data.validation),
            processing_class=tokenizer,
            callbacks=[callback],
        )

    return train_and_publish(run, trainer)


def kahneman_tversky_optimisation(directory: RunDirectory, spec: TrainingSpec) -> tuple[str, TrainingReport]:
    """On single answers, each good or bad, weighted so that both kinds count the same."""
    begun = begin(directory, spec)
    rows = read_rows(directory.folder, spec, JudgedRow)
    tokenizer = open_tokenizer(begun)
    data = prepare(encode_judgements(rows, tokenizer), spec, begun.base.context)
    weights = class_weights(data.train)
    run = load(begun, tokenizer, data)

    def trainer(callback: Any) -> Any:
        from trl import KTOConfig

        from training.trainers import JudgementTrainer

        return JudgementTrainer(
            interruption=directory.interruption,
            model=run.model,
            args=KTOConfig(
                **arguments(run),
                beta=spec.beta,
                desirable_weight=weights.desirable,
                undesirable_weight=weights.undesirable,
                precompute_ref_log_probs=True,
            ),
            train_dataset=as_dataset(in_batches(data.train, spec.batch_size, seed=spec.seed)),
            eval_dataset=as_dataset(in_batches(data.validation, spec.batch_size, seed=spec.seed)),
            processing_class=tokenizer,
            callbacks=[callback],
        )

    return train_and_publish(run, trainer, class_weights=weights)
