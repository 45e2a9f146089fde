"""The names that skops is to trust."""

from skae.persistence._loading import estimators


def trusted_types() -> list[str]:
    """Names of the classes of skae, for ``skops.io.load(path, trusted=...)``.

    Returns
    -------
    names : list of str
        Of the estimators.

    Examples
    --------
    >>> import skae
    >>> "skae.autoencoders._vae.VAETransformer" in skae.io.trusted_types()
    True
    """
    classes = estimators().values()
    return sorted(f"{cls.__module__}.{cls.__qualname__}" for cls in classes)
