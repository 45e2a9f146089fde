"""Devices by name, generators from seeds, and torch's ambient state held still."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial

import torch

SMALL_STEP = 5 * 10**7
"""Multiplications below which one thread is faster than several."""

if hasattr(os, "register_at_fork"):
    # A child has none of its parent's threads, but torch would wait for them for ever:
    # https://github.com/pytorch/pytorch/issues/17199
    os.register_at_fork(after_in_child=partial(torch.set_num_threads, 1))


def resolve_device(name: str) -> torch.device:
    """The device that a user's word stands for.

    Parameters
    ----------
    name : str
        "auto" is CUDA when it is there, else the CPU; anything else is torch's own name.

    Returns
    -------
    device : torch.device
        A device that can be computed on.

    Raises
    ------
    ValueError
        If torch does not know the name or the device is not there.
    """
    if name == "auto":
        return torch.device("cuda" if torch.cuda.is_available() else "cpu")
    try:
        device = torch.device(name)
        torch.empty(1, device=device)
    except (RuntimeError, AssertionError, NotImplementedError) as error:
        raise ValueError(
            f"device={name!r} cannot be used here: {str(error).splitlines()[0]} "
            "Pass device='auto' or device='cpu'."
        ) from error
    return device


def generator(seed: int, device: torch.device | str = "cpu") -> torch.Generator:
    """A generator of its own, so that no global one is read or changed.

    Parameters
    ----------
    seed : int
        Non-negative.
    device : torch.device or str, default="cpu"
        Where its numbers are drawn.

    Returns
    -------
    rng : torch.Generator
        Seeded.
    """
    return torch.Generator(device).manual_seed(seed)


@contextmanager
def foreign_randomness(
    seed: int, device: torch.device, *, needed: bool = True
) -> Iterator[list[torch.Generator]]:
    """Feed modules that draw from torch's global generator, such as ``nn.Dropout``, from `seed`.

    The global generator is put back at the end. A user's own modules are the one place in skae
    where it is touched, because torch gives them no other.

    Parameters
    ----------
    seed : int
        Non-negative.
    device : torch.device
        The device on which they draw.
    needed : bool, default=True
        Whether there are such modules; without them nothing happens.

    Yields
    ------
    generators : list of torch.Generator
        The global ones that they draw from.
    """
    if not needed:
        yield []
        return
    devices = [device] if device.type == "cuda" else []
    with torch.random.fork_rng(devices=devices):
        torch.manual_seed(seed)  # noqa: TID251 - inside fork_rng
        on_device = [torch.cuda.default_generators[d.index or 0] for d in devices]
        yield [torch.default_generator, *on_device]


@contextmanager
def threads_for(work: int) -> Iterator[None]:
    """Compute small steps on one thread: handing them out costs more than it saves.

    Parameters
    ----------
    work : int
        Multiplications in a forward pass of a batch.
    """
    before = torch.get_num_threads()
    if work < SMALL_STEP:
        torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)


@contextmanager
def plain_torch(*, grad: bool) -> Iterator[None]:
    """Compute the same whatever the caller has switched on: inference mode, autocast, no_grad.

    Parameters
    ----------
    grad : bool
        Whether gradients are recorded.
    """
    with (
        torch.inference_mode(False),
        torch.set_grad_enabled(grad),
        torch.autocast("cpu", enabled=False),
        torch.autocast("cuda", enabled=False),
    ):
        yield
