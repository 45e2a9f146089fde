"""Devices by name, and global generators that come back as they were."""

import pytest
import torch

from skae.training import foreign_randomness, generator, resolve_device
from skae.training._device import plain_torch, threads_for


def test_auto_is_cuda_when_it_is_there():
    assert resolve_device("auto").type == ("cuda" if torch.cuda.is_available() else "cpu")


@pytest.mark.parametrize("name", ["abacus", "cuda:99"])
def test_a_device_that_is_not_there_is_named(name):
    with pytest.raises(ValueError, match=f"device='{name}' cannot be used here.*device='cpu'"):
        resolve_device(name)


def test_a_generator_is_its_own():
    before = torch.get_rng_state()
    first, second = (torch.rand(3, generator=generator(1)) for _ in range(2))
    assert torch.equal(first, second)
    assert torch.equal(before, torch.get_rng_state())


def test_foreign_modules_draw_from_the_seed_and_leave_no_trace():
    before = torch.get_rng_state()
    draws = []
    for _ in range(2):
        with foreign_randomness(3, torch.device("cpu")):
            draws.append(torch.nn.Dropout()(torch.ones(20)))
    assert torch.equal(*draws)
    assert torch.equal(before, torch.get_rng_state())


@pytest.mark.parametrize(("work", "n_threads"), [(1, 1), (10**9, 2)])
def test_small_steps_take_one_thread_and_give_the_others_back(work, n_threads):
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    with threads_for(work):
        assert torch.get_num_threads() == n_threads
    assert torch.get_num_threads() == 2
    torch.set_num_threads(before)


@pytest.mark.parametrize("grad", [False, True])
def test_gradients_are_recorded_where_they_are_wanted(grad):
    with torch.set_grad_enabled(not grad), plain_torch(grad=grad):
        assert torch.is_grad_enabled() == grad
