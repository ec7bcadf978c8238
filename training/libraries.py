"""Libraries that a training does not import."""

from run_directory.machine import leave_out


def leave_out_unneeded(spec: bytes) -> None:
    """Prevent imports of unneeded libraries; call before importing torch. Only 4-bit weights need
    bitsandbytes.
    """
    leave_out("boto3", "scipy", "sklearn", "torchvision")
    if b"qlora" not in spec:
        leave_out("bitsandbytes")
