"""The error of a reflecting model that gave no answer."""

from __future__ import annotations

from ..errors import ModelDownError
from ..llm.client.reflecting_settings import in_reflecting_settings
from .options import RunOptions
from .reply import Reply


def reflecting_down(reply: Reply, options: RunOptions) -> ModelDownError:
    """Return the error, whose remedy names the settings that this model has of its own.

    Args:
        reply: That failed.
    """
    error = ModelDownError(options.reflect_model, reply.failure, reply.said)
    named = options.reflect_model != options.model
    return error.advising(in_reflecting_settings(error.remedy, options.settings, named=named))
