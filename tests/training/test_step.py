"""A captured step is the step itself.

What a CUDA graph does is shown without a GPU: a tape keeps what has been asked of torch, and asks
it again of the same tensors, with the same numbers, whatever Python would do.
"""

import sys
from contextlib import contextmanager, nullcontext

import numpy as np
import pytest
import torch
from conftest import public_estimators, tiny
from numpy.testing import assert_allclose
from test_trainer import Cliff, TwoPlayers, run
from torch.utils._python_dispatch import TorchDispatchMode

from skae import AutoencoderTransformer, SparseAutoencoder, VAETransformer
from skae.nn import Turn
from skae.training import SOLVERS, _step

CAPTURABLE = [E for E in public_estimators() if E._module.stacks]
VARIANTS = [
    (VAETransformer, {"kl_warm_up": 0.5}),
    (AutoencoderTransformer, {"dropout": 0.2, "cv": 3, "early_stopping": True}),
    (AutoencoderTransformer, {"normalization": "layer", "batch_size": 7}),
    (AutoencoderTransformer, {"precision": "bfloat16", "trim": 0.1}),
]


class Tape(TorchDispatchMode):
    """Does what is asked, and keeps it, with what it has changed as it was before."""

    error = RuntimeError

    def __init__(self):
        super().__init__()
        self.calls, self.before = [], {}

    def __torch_dispatch__(self, function, types, arguments=(), keywords=None):
        if function is torch.ops.aten._local_scalar_dense.default:
            raise self.error("operation not permitted when stream is capturing")
        keywords = keywords or {}
        declared = function._schema.arguments
        given = dict(zip((a.name for a in declared), arguments, strict=False)) | keywords
        for argument, value in ((a, given.get(a.name)) for a in declared):
            if argument.alias_info is not None and argument.alias_info.is_write:
                for tensor in tensors_in(value):
                    self.before.setdefault(id(tensor), (tensor, tensor.detach().clone()))
        result = function(*arguments, **keywords)
        self.calls.append((function, arguments, keywords, result))
        return result

    @torch.no_grad()
    def rewind(self):
        for tensor, value in self.before.values():
            tensor.copy_(value)

    @torch.no_grad()
    def play(self):
        for function, arguments, keywords, result in self.calls:
            again = function(*arguments, **keywords)
            if all(returned.alias_info is None for returned in function._schema.returns):
                for tensor, value in zip(tensors_in(result), tensors_in(again), strict=True):
                    tensor.copy_(value)


def tensors_in(value):
    parts = value if isinstance(value, list | tuple) else [value]
    return [part for part in parts if isinstance(part, torch.Tensor)]


@pytest.fixture
def tapes(monkeypatch):
    """The tapes that are made while steps are captured on the CPU."""
    made = []

    @contextmanager
    def beside(device):
        yield

    def capture(call, generators, device):
        states = [rng.get_state() for rng in generators]
        tape = Tape()
        with tape:
            result = call()
        tape.rewind()
        for rng, state in zip(generators, states, strict=True):
            rng.set_state(state)
        made.append(tape)
        return tape.play, result

    monkeypatch.setitem(_step.CAPTURES, "cpu", (beside, capture))
    monkeypatch.setattr(_step, "WORTH", 2)
    return made


def fitted(Estimator, parameters, X):
    # not as small as they come: batches of two lengths, and several epochs
    settings = {"max_iter": 4, "batch_size": 16, "n_components": 2, "random_state": 0} | parameters
    return tiny(Estimator, **settings).fit(X)


@pytest.mark.parametrize(
    ("Estimator", "parameters"), [(E, {}) for E in CAPTURABLE] + VARIANTS, ids=lambda p: str(p)
)
def test_a_fit_is_the_same(Estimator, parameters, tapes, monkeypatch):
    X = np.random.default_rng(0).normal(size=(90, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    captured = fitted(Estimator, parameters, X)
    assert tapes, "nothing was captured"
    monkeypatch.delitem(_step.CAPTURES, "cpu")
    plain = fitted(Estimator, parameters, X)
    assert plain.best_iter_ == captured.best_iter_
    for name in ("loss", "gradient_norm", "learning_rate"):
        assert_allclose(captured.history_[name], plain.history_[name], rtol=1e-3)
    assert_allclose(captured.transform(X), plain.transform(X), rtol=1e-3, atol=1e-3)


@pytest.mark.skipif(not torch.cuda.is_available(), reason="there is no GPU")
@pytest.mark.parametrize(("Estimator", "parameters"), [(E, {}) for E in CAPTURABLE] + VARIANTS)
def test_a_fit_on_a_gpu_is_the_same(Estimator, parameters, monkeypatch):
    X = np.random.default_rng(0).normal(size=(90, 6)) @ np.random.default_rng(1).normal(size=(6, 6))
    graphs = []

    def capture(*arguments):
        graphs.append(_step.cuda_graph(*arguments))
        return graphs[-1]

    monkeypatch.setitem(_step.CAPTURES, "cuda", (_step.beside, capture))
    monkeypatch.setattr(_step, "WORTH", 2)
    captured = fitted(Estimator, parameters | {"device": "cuda"}, X)
    assert graphs, "nothing was captured"
    monkeypatch.delitem(_step.CAPTURES, "cuda")
    plain = fitted(Estimator, parameters | {"device": "cuda"}, X)
    assert_allclose(captured.history_["loss"], plain.history_["loss"], rtol=1e-3)
    assert_allclose(captured.transform(X), plain.transform(X), rtol=1e-2, atol=1e-2)


@pytest.mark.parametrize("solver", SOLVERS)
def test_every_solver_takes_its_rate_from_a_tensor(solver, tapes, monkeypatch):
    # on the CPU this one refuses what it can do on a GPU
    own = sys.modules["torch.optim.rmsprop"]
    monkeypatch.setattr(own, "_get_capturable_supported_devices", lambda: ["cpu"])
    x, ends = torch.randn(40, 1, generator=torch.Generator().manual_seed(0)), []
    for is_capturable in (True, False):
        module = TwoPlayers([["a", "b"], ["b"]])
        module.is_capturable = is_capturable
        run(module, x, 6, solver=solver, learning_rate="one_cycle")
        ends.append([module.a.item(), module.b.item()])
    assert len(tapes) == 2, "one for each phase"
    assert_allclose(*ends, rtol=1e-5)
    assert ends[0] != [0, 0]


def test_batches_of_each_length_are_captured_once(tapes):
    module = TwoPlayers([["a"]])
    module.is_capturable = True
    run(module, torch.ones(17, 1), 5)
    assert len(tapes) == 2 and len(module.seen) == 3  # 5 or 6 rows; one step to warm up


def test_a_divergence_leaves_no_old_capture_behind(tapes):
    module = Cliff([])
    module.is_capturable = True
    record = run(module, torch.ones(20, 1), 3, learning_rate_init=5.0)
    assert record.divergences == 1 and record.ended == "" and len(tapes) > 1
    assert 0 < module.a < 2


class Asks(TwoPlayers):
    """Asks for a number in its loss, which no capture allows."""

    is_capturable = True

    def phases(self):
        def loss(x, rng, weight):
            self.seen.append(x.mean().item())
            return {"a": (self.a - x).square().mean()}

        return [[Turn([self.a], loss)]]


@pytest.mark.parametrize("error", [RuntimeError, AttributeError])
def test_what_cannot_be_captured_is_done_plainly(error, tapes, monkeypatch):
    monkeypatch.setattr(Tape, "error", error)
    x, ends = torch.randn(24, 1, generator=torch.Generator().manual_seed(0)), []
    for _ in range(2):
        module = Asks([])
        run(module, x, 4)
        ends.append(module.a.item())
        monkeypatch.delitem(_step.CAPTURES, "cpu", raising=False)
    assert not tapes
    assert_allclose(*ends, rtol=1e-5)


def test_an_error_of_the_loss_itself_is_not_lost(tapes):
    class Fails(TwoPlayers):
        is_capturable = True

        def phases(self):
            def loss(x, rng, weight):
                self.seen.append(0)
                if len(self.seen) > 1:
                    raise ZeroDivisionError("of its own")
                return {"a": (self.a - x).square().mean()}

            return [[Turn([self.a], loss)]]

    with pytest.raises(ZeroDivisionError, match="of its own"):
        run(Fails([]), torch.ones(24, 1), 4)


def test_a_number_in_python_would_stay_as_it_was(tapes):
    """Why what changes is in tensors, and a module has to say that it may be captured."""

    class Counts(TwoPlayers):
        def phases(self):
            def loss(x, rng, weight):
                self.seen.append(0)
                return {"count": 0 * self.a.sum() + len(self.seen)}

            return [[Turn([self.a], loss)]]

    counts = {}
    for is_capturable in (True, False):
        module = Counts([])
        module.is_capturable = is_capturable
        record = run(module, torch.ones(24, 1), 2)
        counts[is_capturable] = [losses["count"] for losses in record.losses]
    assert counts == {True: [(1 + 2 + 2) / 3, 2.0], False: [2.0, 5.0]}


def test_few_steps_are_not_worth_it(tapes, monkeypatch):
    monkeypatch.setattr(_step, "WORTH", 7)
    module = TwoPlayers([["a"]])
    module.is_capturable = True
    run(module, torch.ones(24, 1), 2)
    assert not tapes and len(module.seen) == 6


def test_modules_of_the_users_and_what_waits_are_left_alone(tapes):
    X = np.random.default_rng(0).normal(size=(60, 6))
    fitted(SparseAutoencoder, {}, X)
    fitted(AutoencoderTransformer, {"encoder": torch.nn.Linear(6, 2)}, X)
    assert not tapes


@pytest.mark.parametrize("fails", [False, True])
def test_a_cuda_graph_knows_its_generators_and_gives_the_stream_back(fails, monkeypatch):
    """The calls themselves: all that can be seen of them without a GPU."""
    told, rng, device = [], torch.Generator(), torch.device("cuda", 0)

    class Graph:
        def register_generator_state(self, generator):
            told.append(("generator", generator))

        def replay(self):
            told.append("replay")

    @contextmanager
    def capturing(graph, *, capture_error_mode):
        told.append(capture_error_mode)
        yield

    monkeypatch.setattr(torch.cuda, "CUDAGraph", Graph)
    monkeypatch.setattr(torch.cuda, "graph", capturing)
    monkeypatch.setattr(torch.cuda, "device", lambda device: nullcontext())
    monkeypatch.setattr(torch.cuda, "current_stream", lambda device: "the stream before")
    monkeypatch.setattr(torch.cuda, "set_stream", lambda stream: told.append(stream))

    def call():
        if fails:
            raise RuntimeError("not permitted")
        return "losses"

    with pytest.raises(RuntimeError) if fails else nullcontext():
        replay, result = _step.cuda_graph(call, [rng], device)
        replay()
        assert result == "losses" and told.pop() == "replay"
    assert told == [("generator", rng), "thread_local", "the stream before"]
