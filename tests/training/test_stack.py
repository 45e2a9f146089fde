"""Training together is training alone."""

from dataclasses import replace
from math import nan
from threading import Event

import pytest
import torch

from skae.nn import Autoencoder, coders
from skae.training import Checkpoint, HeldOut, Observer, Rows, Trainer, Training, alone, train_all
from skae.training._stack import stacks_of, train_stack

TRAINER = Trainer(
    batch_size=8,
    solver="adamw",
    learning_rate="one_cycle",
    learning_rate_init=0.02,
    alpha=0.1,
    momentum=0.9,
)


def module(seed, **settings):
    settings = {
        "hidden_layer_sizes": (6,),
        "decoder_layer_sizes": (6,),
        "tied_weights": False,
    } | settings
    rng = torch.Generator().manual_seed(seed)
    return Autoencoder(
        *coders(
            3,
            2,
            activation="tanh",
            normalization=None,
            dropout=0.0,
            weight_init="xavier",
            linear_path=False,
            custom=(None, None),
            rng=rng,
            **settings,
        )
    )


def training(
    seed, *, n_epochs=6, held_out=True, weights=False, tied=False, stop=lambda r: False, **kw
):
    rng = torch.Generator().manual_seed(100 + seed)
    x = torch.randn(30, 3, generator=rng, dtype=torch.float64) * (1 + seed)
    judge = HeldOut(Rows(x[20:]), x[:20].mean(dim=0), seed=7) if held_out else None
    w = torch.rand(20, generator=rng, dtype=torch.float64) + 0.1 if weights else None
    return Training(
        trainer=TRAINER,
        module=module(seed, tied_weights=tied),
        rows=Rows(x[:20], None, w),
        n_epochs=n_epochs,
        seed=seed,
        device=torch.device("cpu"),
        foreign=False,
        held_out=judge,
        stop=stop,
        observer=None,
        checkpoint=Checkpoint(),
        **kw,
    )


@pytest.mark.parametrize("solver", ["adamw", "adam", "sgd", "rmsprop"])
@pytest.mark.parametrize("held_out", [True, False])
@pytest.mark.parametrize(("weights", "tied"), [(True, False), (False, True)])
def test_together_is_alone(solver, held_out, weights, tied):
    """The same batches, weights, errors, best epochs and norms: to rounding, in float64."""
    trainer = replace(TRAINER, solver=solver, max_gradient_norm=0.3)
    some, same = (
        [
            replace(training(seed, held_out=held_out, weights=weights, tied=tied), trainer=trainer)
            for seed in range(4)
        ]
        for _ in range(2)
    )
    assert stacks_of(some) == [[0, 1, 2, 3]]
    for one, own, record in zip(some, same, train_all(some), strict=True):
        expected = own.run()
        assert record.best == expected.best and len(record.losses) == 6
        torch.testing.assert_close(record.scores, expected.scores)
        assert [list(epoch) for epoch in record.steps] == [list(e) for e in expected.steps]
        for name in ("gradient_norm", "update_ratio", "learning_rate"):
            ours, theirs = ([epoch[name] for epoch in r.steps] for r in (record, expected))
            torch.testing.assert_close(ours, theirs, rtol=1e-6, atol=1e-9)
        for ours, theirs in zip(one.module.parameters(), own.module.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs)
        kept = record.best_module().parameters()
        assert all(torch.equal(*pair) for pair in zip(kept, one.module.parameters(), strict=True))


def test_each_ends_by_itself():
    ends = [2, 5, 3]
    some, same = (
        [training(s, stop=lambda r, end=end: len(r.losses) >= end) for s, end in enumerate(ends)]
        for _ in range(2)
    )
    records = train_all(some)
    assert [len(record.losses) for record in records] == ends
    for one, own in zip(some, same, strict=True):
        own.run()
        for ours, theirs in zip(one.module.parameters(), own.module.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_one_that_diverges_is_trained_alone_and_harms_no_other():
    some, same = ([training(seed) for seed in range(3)] for _ in range(2))
    for trainings in (some, same):
        trainings[1].rows.x[4] = nan
    records = train_all(some)
    assert [record.ended for record in records] == ["", "diverged", ""]
    for one, own in zip(some, same, strict=True):
        own.run()
        for ours, theirs in zip(one.module.parameters(), own.module.parameters(), strict=True):
            torch.testing.assert_close(ours, theirs)


def test_observers_see_their_own_member():
    class Watch(Observer):
        begun, seen = 0, ()

        def epoch_begins(self):
            self.begun += 1

        def epoch_ends(self, record):
            self.seen = [*self.seen, record.scores[-1]]
            return len(self.seen) == 2

    watches = [Watch(), Watch()]
    some = [replace(training(s), observer=watch) for s, watch in enumerate(watches)]
    for watch, record in zip(watches, train_all(some), strict=True):
        assert watch.begun == 2 and watch.seen == record.scores[1:]


def test_what_differs_is_not_stacked():
    plain = training(0)
    others = [
        replace(plain, trainer=replace(TRAINER, alpha=0.2)),
        replace(plain, n_epochs=7),
        replace(plain, rows=Rows(plain.rows.x[:10])),
        replace(plain, held_out=None),
        replace(plain, module=module(0, hidden_layer_sizes=(7,))),
        replace(plain, foreign=True),
    ]
    assert all(other.kind != plain.kind for other in others)


def test_long_trainings_come_first_and_beside_each_other(monkeypatch):
    monkeypatch.setattr("skae.training._stack.N_PARAMETERS", 2 * 77)
    lengths = [1, 9, 2, 8, None]
    trainings = [training(0, n_epochs=10, length=length) for length in lengths]
    assert sum(p.numel() for p in trainings[0].module.parameters()) == 77
    assert stacks_of(trainings) == [[1, 3], [4], [2, 0]]


@pytest.mark.parametrize(("n_trainings", "sizes"), [(4, [4]), (5, [3, 2]), (9, [3, 3, 3])])
def test_stacks_are_equally_large(monkeypatch, n_trainings, sizes):
    monkeypatch.setattr("skae.training._stack.N_PARAMETERS", 4 * 77)
    assert sorted(map(len, stacks_of([training(0)] * n_trainings)), reverse=True) == sizes


def test_threads_change_nothing(monkeypatch):
    monkeypatch.setattr("skae.training._stack.N_PARAMETERS", 2 * 77)
    found = []
    for n_jobs in (1, 2):
        some = [training(seed) for seed in range(5)]
        train_all(some, n_jobs)
        found.append([p.clone() for t in some for p in t.module.parameters()])
    assert all(torch.equal(one, two) for one, two in zip(*found, strict=True))


def test_a_cancelled_stack_ends_at_once():
    cancelled = Event()
    cancelled.set()
    records = train_stack([training(0), training(1)], cancelled)
    assert [record.losses for record in records] == [[], []]


def test_a_failure_in_a_thread_is_raised_and_ends_the_others(monkeypatch):
    monkeypatch.setattr("skae.training._stack.N_PARAMETERS", 77)

    def fail(record):
        raise ArithmeticError("no")

    with pytest.raises(ArithmeticError, match="no"):
        train_all([training(0, stop=fail), training(1)], 2)


def test_ctrl_c_ends_a_stack():
    class Interrupt(Observer):
        def epoch_ends(self, record):
            raise KeyboardInterrupt

    many = [replace(training(s), observer=Interrupt()) for s in range(2)]
    records = train_all([*many, training(2, n_epochs=3)])  # of another kind, and not begun
    assert [record.ended for record in records] == ["interrupted"] * 3
    assert [len(record.losses) for record in records] == [1, 1, 0]


def test_alone_goes_through_the_trainings_where_they_come_up():
    def steps():
        first = yield [training(0, n_epochs=1)]
        rest = yield [training(1, n_epochs=2), training(2, n_epochs=3)]
        return [len(record.losses) for record in first + rest]

    assert alone(steps()) == [1, 2, 3]
