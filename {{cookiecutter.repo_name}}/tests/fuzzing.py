"""How the fuzz tests run: the same examples each time, few of them."""

from hypothesis import HealthCheck, Phase, settings


def fuzzed(examples):
    """A decorator for a test of hypothesis: so many examples, the same in every run."""
    return settings(
        max_examples=examples,
        derandomize=True,
        database=None,
        phases=[Phase.generate],  # without making a failure smaller, which takes minutes
        deadline=None,  # the first example pays for the imports
        suppress_health_check=list(HealthCheck),
    )
