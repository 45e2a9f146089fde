"""What happens to a fitted estimator when it is fitted again and that fails: nothing."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any


@contextmanager
def rolled_back_on_failure(estimator: Any) -> Iterator[None]:
    """Leave an estimator as it was if the block fails, so that no fitted model is lost by it.

    Parameters
    ----------
    estimator : object
        Its attributes are replaced in the block, and none changed in place.
    """
    before = dict(vars(estimator))
    try:
        yield
    except BaseException:
        vars(estimator).clear()
        vars(estimator).update(before)
        raise
