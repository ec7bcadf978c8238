"""Names of the training methods, and when to use each."""

from typing import NamedTuple

from training.spec import Method


class MethodText(NamedTuple):
    name: str
    when: str

    @property
    def choice(self) -> str:
        return f"{self.name}: {self.when}"


METHODS: dict[Method, MethodText] = {
    "lora": MethodText("LoRA", "trains a small adapter on the unchanged base. The default choice."),
    "rslora": MethodText("rsLoRA", "LoRA whose scaling stays stable at high ranks. From rank 64 upwards."),
    "dora": MethodText(
        "DoRA",
        "LoRA that learns magnitude and direction separately. For small ranks; slower, and the result is a"
        " full model.",
    ),
    "qlora": MethodText(
        "QLoRA", "LoRA on a base quantised to 4 bits. For bases that do not fit into memory otherwise."
    ),
    "full": MethodText(
        "Full fine-tuning",
        "trains every weight. For much data, and memory for about 16 bytes per weight; the result is a"
        " full model.",
    ),
}


def method_name_of(key: object) -> str:
    """Name of a method, or the key itself if another version of the product wrote it."""
    words = dict[object, MethodText](METHODS.items()).get(key)
    return words.name if words else str(key or "")
