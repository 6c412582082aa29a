"""The precision in which a device computes fast."""

from __future__ import annotations

from importlib import import_module


def computes_bfloat16(wanted: bool | None) -> bool:
    """Whether to compute in bfloat16: as wanted, or with `None` if the device is fast at it."""
    if wanted is not None:
        return wanted
    torch = import_module("torch")
    if torch.cuda.is_available():
        return bool(torch.cuda.is_bf16_supported())
    # Some builds of torch have no oneDNN, and so nothing to ask.
    if not torch.backends.mkldnn.is_available():
        return False
    # AMX, AVX-512 or Arm's; torch has no public name for the question.
    return bool(torch.ops.mkldnn._is_mkldnn_bf16_supported())  # noqa: SLF001
