"""What cannot be searched at once, and why."""

from collections.abc import Mapping, Sequence
from typing import Any

from sklearn.pipeline import Pipeline

from skae.autoencoders._base import BaseAutoencoder
from skae.model_selection._trials import parted

OWN = "modules of one's own cannot be trained as one."

REASONS = (
    (lambda model: not isinstance(model, BaseAutoencoder), "it is none of skae's autoencoders."),
    (lambda model: not model._module.stacks, "its loss is not one for many networks at once."),
    (lambda model: model.encoder is not None or model.decoder is not None, OWN),
    (lambda model: getattr(model, "perceptual", None) is not None, OWN),
    (lambda model: model.normalization == "batch", "normalization='batch' keeps running means."),
    (lambda model: model.checkpoint is not None, "a checkpoint is the file of one fit."),
    (lambda model: hasattr(model, "_skl_callbacks"), "callbacks follow one fit."),
)


def why_one_by_one(
    search: Any, candidates: Sequence[Mapping[str, Any]], fit_params: Mapping[str, Any]
) -> str | None:
    """What keeps a search from training its candidates at once.

    Parameters
    ----------
    search : BottleneckSearchCV
        With its estimator.
    candidates : sequence of dict
        Parameters.
    fit_params : dict
        What its estimator's `fit` is to be passed.

    Returns
    -------
    reason : str or None
        A sentence; None if nothing does.
    """
    head, model = parted(search.estimator)
    name = type(model).__name__
    for applies, reason in REASONS:
        if applies(model):
            return f"{name} is not searched at once: {reason}"
    if hasattr(search, "_skl_callbacks"):
        return "Callbacks follow fits one by one."
    steps = [n for n in {n for c in candidates for n in c} if replaces(n, search.estimator)]
    if steps:
        return f"param_grid holds {steps[0]!r}, which may be another estimator."
    if set(fit_params) - {"sample_weight"} or (fit_params and head is not None):
        return f"fit is passed {sorted(fit_params)}, of which a fold's part is its steps' affair."
    return None


def replaces(name: str, estimator: Any) -> bool:
    """Whether a parameter is a step, or has to do with what is not searched at once."""
    own = name.rpartition("__")[2]
    step = isinstance(estimator, Pipeline) and name in {n for n, _ in estimator.steps}
    return step or own in {"steps", "encoder", "decoder", "normalization", "checkpoint"}
