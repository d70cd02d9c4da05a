"""How cases are drawn, for all tests: always the same ones, and fewer where DRAWN_CASES says so."""

import os

from hypothesis import HealthCheck, Phase, settings

MOST = int(os.environ.get("DRAWN_CASES", "1000"))  # benchmarks/mutants.py runs the same test hundreds of times


def drawn_cases(count: int) -> settings:
    """The decorator of a test that is given so many drawn cases; with DRAWN_CASES no smallest failing one is sought."""
    return settings(
        max_examples=min(count, MOST),
        derandomize=True,
        deadline=None,
        database=None,
        phases=[Phase.generate] if "DRAWN_CASES" in os.environ else list(Phase),
        suppress_health_check=[HealthCheck.too_slow],
    )
