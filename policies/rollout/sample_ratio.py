"""The sample ratio: whether as many people got the canary as should have; an anytime-valid test.

A mismatch means that something loses people of one arm, or that the log does: then neither arm's
figures can be believed. The test is the Bayes factor of a beta-binomial alternative against the
planned share, whose inverse bounds the chance of a false alarm at all times at once (Ville's
inequality): Lindon and Malek, 2022, "Anytime-valid inference for multinomial count data",
arXiv 2011.03567.
"""

from __future__ import annotations

from math import lgamma, log, log1p

_WEIGHT = 200.0
"""How closely the alternative is centred on the planned share, in people."""


def mismatch(control: int, canary: int, share: float) -> float:
    """Return the logarithm of the evidence that a share is not the planned one.

    Args:
        control: People who did not get the canary.
        canary: People who did.
        share: The planned part of people who should, of 1.

    Returns:
        The log of the Bayes factor. If the share is right, it ever exceeds log(1 / alpha) with a
        chance of at most alpha.
    """
    if not 0 < share < 1:
        return 0.0
    a, b = _WEIGHT * share, _WEIGHT * (1 - share)
    alternative = _log_beta(a + canary, b + control) - _log_beta(a, b)
    return alternative - canary * log(share) - control * log1p(-share)


def _log_beta(a: float, b: float) -> float:
    return lgamma(a) + lgamma(b) - lgamma(a + b)
