"""What a training's model libraries do without."""

from run_directory.machine import leave_out


def leave_out_unneeded(spec: bytes) -> None:
    """Call it before torch and its kin. 4-bit weights alone need bitsandbytes."""
    leave_out("boto3", "scipy", "sklearn", "torchvision")
    if b"qlora" not in spec:
        leave_out("bitsandbytes")
