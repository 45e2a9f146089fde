"""A completion as arrays, and back."""

import numpy as np

from skae.nn import Completion, Correction, GaussianFill
from skae.training import generator, to_numpy, to_tensor


def arrays_of(completion: Completion) -> dict[str, np.ndarray]:
    """Its weights and buffers by name, copied."""
    return {name: to_numpy(part).copy() for name, part in completion.state_dict().items()}


def completion_from(arrays: dict[str, np.ndarray]) -> Completion:
    """The module that some arrays were taken from.

    Parameters
    ----------
    arrays : dict of str to ndarray
        From `arrays_of`.

    Returns
    -------
    completion : Completion
        For evaluation, on the CPU.
    """
    tensors = {name: to_tensor(array) for name, array in arrays.items()}
    fill = {name[5:]: part for name, part in tensors.items() if name.startswith("fill.")}
    biases = [part for name, part in tensors.items() if name.endswith(".bias")]
    location, scale = tensors["location"], tensors["scale"]
    correction = None
    if biases:
        hidden = [len(bias) for bias in biases[:-1]]
        correction = Correction(len(location), hidden, generator(0))
    completion = Completion(location, scale, GaussianFill(**fill), correction)
    completion.load_state_dict(tensors)
    return completion.eval()
