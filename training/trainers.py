"""The objective's trainer over rows that are already encoded, truncated and accounted for.

TRL would encode the rows itself and silently drop those whose prompt fills its max_length.
"""

from typing import Any

from run_directory.program import Interruption
from run_directory.ranks import own_rank
from training.loop import LoadedRun, arguments, as_dataset
from training.processes import distributed_trainer


def make_trainer(run: LoadedRun, callback: Any) -> Any:
    """Create the objective's trainer over the run's rows."""
    objective, spec = run.begun.objective, run.spec
    trainer, its_arguments = objective.trainer()
    more: dict[str, Any] = {}
    settings = objective.trainer_settings(spec, run.set_by_rows)
    if own_rank().count > 1:
        trainer = distributed_trainer(trainer)
    if objective.has_reference:
        trainer = with_reference(trainer)
        more["interruption"] = run.directory.interruption
        settings["precompute_ref_log_probs"] = True
    train, validation = (
        as_dataset(objective.arranged(rows, spec.batch_size, seed=None if run.is_in_order else spec.seed))
        for rows in (run.data.train, run.data.validation)
    )
    return trainer(
        **more,
        model=run.model,
        args=its_arguments(**arguments(run), **settings),
        train_dataset=train,
        eval_dataset=validation,
        processing_class=run.tokenizer,
        callbacks=[callback],
    )


def with_reference(trainer: type) -> type:
    """Subclass of a TRL preference trainer that takes encoded rows and uses the initial model as its
    reference.

    The reference log-probabilities are computed once, before the first step, so no second model is kept in
    memory and a checkpoint contains only trained weights.
    """

    class WithReference(_WithReference, trainer):
        pass

    return WithReference


class _WithReference:
    def __init__(self, *, interruption: Interruption, **settings: Any) -> None:
        self._interruption = interruption
        super().__init__(**settings)
        # Delete TRL's copy of an adapter, which served the reference: a checkpoint with two adapters would be
        # resumed with the weights of neither.
        if "ref" in getattr(self.model, "peft_config", {}):  # type: ignore[attr-defined]  # set by trainer
            self.model.delete_adapter("ref")  # type: ignore[attr-defined]  # set by trainer

    def _prepare_dataset(self, dataset: Any, *_: Any) -> Any:
        return dataset

    def compute_ref_log_probs(self, model: Any, inputs: Any) -> Any:
        self._interruption.check()
        return super().compute_ref_log_probs(model, inputs)  # type: ignore[misc]  # defined by the trainer
