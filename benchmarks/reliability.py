"""What happens when things go wrong? skae, PyOD's AutoEncoder, skorch and encdr, side by side.

Each condition runs in a process of its own with a time limit; what it prints is what was observed.
skorch gets a plain autoencoder as its module, as it has none.

    OMP_NUM_THREADS=1 python benchmarks/reliability.py

One thread, as children are forked after a first fit that imports what it needs; the condition that
is about forks takes two. What is not installed is left out. POSIX only.
"""

import contextlib
import csv
import logging
import os
import pickle
import random
import signal
import subprocess
import sys
import tempfile
import threading
import time
import warnings
from concurrent.futures import ThreadPoolExecutor
from importlib.metadata import version
from pathlib import Path

import numpy as np
import torch

SECONDS = 90
"""Time limit of a condition."""

DISTRIBUTIONS = {"skae": "skae", "pyod": "pyod", "skorch": "skorch", "encdr": "encdr"}


def bent_sheet(n_samples=200, seed=0):
    """Rows on a curved surface in six dimensions, with noise, in float32 as all of them take it."""
    rng = np.random.default_rng(seed)
    t = rng.normal(size=(n_samples, 2))
    X = np.hstack([t, t**2, t[:, :1] * t[:, 1:], np.sin(t[:, :1])])
    return (X + 0.05 * rng.normal(size=X.shape)).astype(np.float32)


# The contenders: a constructor, and what each gives for rows


class Skae:
    rate, output, state = "learning_rate_init", "transform", "module_"

    def make(self, n_epochs=3, **parameters):
        from skae import AutoencoderTransformer

        settings = {"hidden_layer_sizes": (32,), "cv": None, "random_state": 0}
        return AutoencoderTransformer(2, max_iter=n_epochs, **settings | parameters)


class Pyod:
    rate, output, state = "lr", "decision_function", "model"

    def make(self, n_epochs=3, **parameters):
        from pyod.models.auto_encoder import AutoEncoder

        settings = {"hidden_neuron_list": [32, 2], "verbose": 0, "random_state": 0}
        return AutoEncoder(epoch_num=n_epochs, **settings | parameters)


class Skorch:
    rate, output, state = "lr", "predict", "module_"

    def make(self, n_epochs=3, **parameters):
        from skorch import NeuralNet

        class OwnTarget(NeuralNet):  # a target is what it is trained on: here X itself
            def fit(self, X, y=None, **fit_params):
                return super().fit(X, X if y is None else y, **fit_params)

            def get_loss(self, y_pred, y_true, *args, **kwargs):
                return torch.nn.functional.mse_loss(y_pred, y_true)

        OwnTarget.__qualname__ = OwnTarget.__name__
        globals()["OwnTarget"] = OwnTarget
        settings = {"optimizer": torch.optim.Adam, "train_split": None, "verbose": 0}
        return OwnTarget(Plain, torch.nn.MSELoss, max_epochs=n_epochs, **settings | parameters)


class Encdr:
    rate, output, state = "learning_rate", "transform", "model_"

    def make(self, n_epochs=3, **parameters):
        from encdr import ENCDR

        for name in ("lightning", "lightning.pytorch", "lightning.fabric"):
            logging.getLogger(name).setLevel(logging.ERROR)
        quiet = {"enable_progress_bar": False, "enable_model_summary": False, "logger": False}
        quiet |= {"enable_checkpointing": False}
        settings = {"hidden_dims": [32], "latent_dim": 2, "random_state": 0}
        return ENCDR(max_epochs=n_epochs, trainer_kwargs=quiet, **settings | parameters)


class Plain(torch.nn.Sequential):
    def __init__(self, n_features=6):
        from torch.nn import Linear, ReLU

        super().__init__(Linear(n_features, 32), ReLU(), Linear(32, 2), Linear(2, n_features))


CONTENDERS = {"skae": Skae(), "pyod": Pyod(), "skorch": Skorch(), "encdr": Encdr()}


def output(contender, model, X):
    """What the model says of some rows, as float64."""
    return np.asarray(getattr(model, contender.output)(X), dtype=np.float64)


def weights(contender, model):
    """All weights in one vector."""
    parameters = list(getattr(model, contender.state).parameters())
    return torch.cat([p.detach().double().ravel() for p in parameters])


def sentence(error):
    """An error in a few words."""
    lines = [line for line in str(error).splitlines() if line.strip()] or [""]
    first = lines[0] if len(lines[0]) <= 70 else f"{lines[0][:68]}…"
    return f"{type(error).__name__}: {first}"


def finite(Y):
    """Whether an output can be used."""
    return "finite results" if np.isfinite(Y).all() else "silent NaN or infinity"


# The conditions


def fit_and_look(X):
    def observe(contender):
        model = contender.make()
        model.fit(X)
        Y = output(contender, model, X)
        return "silent: all outputs equal" if np.ptp(Y) == 0 < np.ptp(X) else finite(Y)

    return observe


def with_nan(contender):
    X = bent_sheet()
    X[3, 1] = np.nan
    return fit_and_look(X)(contender)


def other_columns(contender):
    model = contender.make()
    model.fit(bent_sheet())
    return f"accepted: {finite(output(contender, model, bent_sheet()[:, :1]))}"


def nan_in_new_rows(contender):
    model = contender.make()
    model.fit(bent_sheet())
    X = bent_sheet()
    X[3, 1] = np.nan
    return finite(output(contender, model, X))


def high_rate(contender):
    model = contender.make(9, **{contender.rate: 1e35})
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        model.fit(bent_sheet())
        words = finite(output(contender, model, bent_sheet()))
    told = any("not finite" in str(w.message) for w in caught)
    return f"{words}, {'with' if told else 'without'} a warning"


def ctrl_c(contender):
    model = contender.make(10**6, **contender_patience(contender))
    timer = threading.Timer(4.0, os.kill, (os.getpid(), signal.SIGINT))
    timer.start()
    try:
        model.fit(bent_sheet())
        how = "fit returns"
    except KeyboardInterrupt:
        how = "KeyboardInterrupt"
    except SystemExit:
        how = "exit of the process"
    try:
        return f"{how}; then {finite(output(contender, model, bent_sheet()))}"
    except Exception as error:
        return f"{how}; then {sentence(error)}"


def contender_patience(contender):
    """Nothing that ends training early."""
    return {"early_stopping": False} if isinstance(contender, Skae) else {}


def killed(contender):
    """Six epochs at once, and six with a death in between, as far as there is a way to go on."""
    with tempfile.TemporaryDirectory() as folder:
        if isinstance(contender, Skae):
            from skae.training import _checkpoint

            _checkpoint.SECONDS, _checkpoint.SHARE = 0.0, np.inf
            settings = {"early_stopping": False}
            whole = contender.make(6, **settings).fit(bent_sheet())
            model = contender.make(6, checkpoint=f"{folder}/fit", **settings)
            die_in_epoch(4, lambda: model.fit(bent_sheet()))
            model.fit(bent_sheet())
        elif isinstance(contender, Skorch):
            from skorch.callbacks import Checkpoint, LoadInitState

            keep = {"dirname": folder, "monitor": None}
            torch.manual_seed(0)  # noqa: TID251 - skorch draws from the global generator
            whole = contender.make(6).fit(bent_sheet())
            torch.manual_seed(0)  # noqa: TID251
            contender.make(3, callbacks=[Checkpoint(**keep)]).fit(bent_sheet())
            model = contender.make(3, callbacks=[LoadInitState(Checkpoint(**keep))])
            model.fit(bent_sheet())
        else:
            return "no way to go on"
    difference = float((weights(contender, whole) - weights(contender, model)).abs().max())
    return "the same bits" if difference == 0 else f"weights differ by {difference:.1g}"


def die_in_epoch(n, fit):
    """Run a fit in a child that dies by SIGKILL before its n-th epoch."""
    from skae.training import Trainer

    pid = os.fork()
    if pid == 0:
        epoch, begun = Trainer._epoch, []

        def counted(*args):
            begun.append(1)
            if len(begun) == n:
                os.kill(os.getpid(), signal.SIGKILL)
            return epoch(*args)

        Trainer._epoch = counted
        fit()
        os._exit(1)
    assert os.waitpid(pid, 0)[1] == signal.SIGKILL


def out_of_memory(contender):
    """A linear layer that has memory for sixteen rows only (said by torch's own error)."""
    forward = torch.nn.Linear.forward

    def limited(layer, x):
        if len(x) > 16:
            raise torch.OutOfMemoryError("CUDA out of memory. Tried to allocate 20.00 MiB.")
        return forward(layer, x)

    torch.nn.Linear.forward = limited
    model = contender.make()
    model.fit(bent_sheet())
    return finite(output(contender, model, bent_sheet()))


def fork(contender):
    torch.set_num_threads(2)
    X = bent_sheet(4000)
    model = contender.make(1)
    model.fit(X)
    output(contender, model, X)
    torch.ones(1500, 1500) @ torch.ones(1500, 1500)
    pid = os.fork()
    if pid == 0:
        output(contender, model, X)
        contender.make(1).fit(X)
        os._exit(0)
    until = time.monotonic() + SECONDS / 2
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            return "the child computes"
        time.sleep(0.1)
    os.kill(pid, signal.SIGKILL)
    return f"the child hangs (after {SECONDS // 2} s)"


def ambient(context):
    def observe(contender):
        with context():
            model = contender.make()
            model.fit(bent_sheet())
            return finite(output(contender, model, bent_sheet()))

    return observe


def global_state():
    _, key, *rest = np.random.get_state()  # noqa: NPY002 - whether others change it
    return {
        "numpy": (key.tolist(), rest),
        "torch": torch.get_rng_state().tolist(),
        "random": random.getstate(),
    }


def global_generators(contender):
    random.random(), np.random.random(), torch.rand(1)  # noqa: NPY002 - off any usual seed
    before = global_state()
    model = contender.make()
    made = global_state()
    model.fit(bent_sheet())
    fitted = global_state()
    reseeded = [name for name in before if before[name] != made[name]]
    used = [name for name in made if made[name] != fitted[name]]
    if not reseeded and not used:
        return "left alone"
    parts = [
        f"{', '.join(names)} changed by {by}"
        for names, by in ((reseeded, "the constructor"), (used, "fit"))
        if names
    ]
    return "; ".join(parts)


def repeated(contender):
    """Two fits of one object, with an int for a seed where there is a parameter for it."""
    model = contender.make()
    first = output(contender, model.fit(bent_sheet()) or model, bent_sheet())
    second = output(contender, model.fit(bent_sheet()) or model, bent_sheet())
    return "the same bits" if np.array_equal(first, second) else "other results"


def threads(contender):
    model = contender.make()
    model.fit(bent_sheet())
    parts = [bent_sheet(100, seed) for seed in range(32)]
    with ThreadPoolExecutor(8) as pool:
        together = list(pool.map(lambda X: output(contender, model, X), parts))
    alone = [output(contender, model, X) for X in parts]
    same = all(np.array_equal(a, b) for a, b in zip(together, alone, strict=True))
    return "the same bits" if same else "other results"


def fits_in_threads(contender):
    def fit(seed):
        parameters = {} if isinstance(contender, Skorch) else {"random_state": seed}
        model = contender.make(**parameters)
        model.fit(bent_sheet())
        return output(contender, model, bent_sheet())

    with ThreadPoolExecutor(4) as pool:
        together = list(pool.map(fit, range(8)))
    same = sum(np.array_equal(fit(seed), together[seed]) for seed in range(8))
    return "the same bits" if same == 8 else f"{8 - same} of 8 fits differ from those one by one"


def pickled(contender):
    sizes = []
    for n_samples in (200, 4000):
        model = contender.make(1)
        model.fit(bent_sheet(n_samples))
        sizes.append(len(pickle.dumps(model)))
    return f"{sizes[0] / 1024:.0f} KiB, {sizes[1] / sizes[0]:.2f} times that from 20 times the rows"


def memory(contender):
    import psutil

    def fit(n_times):
        for _ in range(n_times):
            contender.make(1).fit(bent_sheet())
        return psutil.Process().memory_info().rss / 2**20

    before = fit(10)
    return f"{fit(40) - before:+.1f} MiB in 40 fits"


def row_of(scale):
    return lambda contender: fit_and_look(bent_sheet() * scale)(contender)


CONDITIONS = {
    "NaN in X": with_nan,
    "NaN in new rows": nan_in_new_rows,
    "one column to a model of six": other_columns,
    "one row": fit_and_look(bent_sheet()[:1]),
    "all rows equal": fit_and_look(np.ones_like(bent_sheet())),
    "20 rows, fewer than a batch": fit_and_look(bent_sheet()[:20]),
    "values of 1e30": row_of(np.float32(1e30)),
    "values of 1e-30": row_of(np.float32(1e-30)),
    "values of 1e200 (float64)": lambda c: fit_and_look(bent_sheet().astype(np.float64) * 1e200)(c),
    "rows in reverse": fit_and_look(bent_sheet()[::-1]),
    "learning rate of 1e35": high_rate,
    "Ctrl-C in training": ctrl_c,
    "SIGKILL, and going on": killed,
    "no memory for more than 16 rows": out_of_memory,
    "fork after two threads": fork,
    "under inference_mode": ambient(torch.inference_mode),
    "under autocast": ambient(lambda: torch.autocast("cpu", torch.bfloat16)),
    'default device "meta"': ambient(lambda: torch.device("meta")),
    "global generators": global_generators,
    "two fits with one seed": repeated,
    "8 threads score": threads,
    "4 threads fit": fits_in_threads,
    "pickle": pickled,
    "memory": memory,
}


def observed(condition, contender):
    """What a condition comes to, in a child that has so many seconds."""
    reader, writer = os.pipe()
    pid = os.fork()
    if pid == 0:
        null = os.open(os.devnull, os.O_WRONLY)
        os.dup2(null, 1)
        os.dup2(null, 2)
        warnings.simplefilter("ignore")
        signal.signal(signal.SIGINT, signal.default_int_handler)
        os.chdir(tempfile.mkdtemp())
        try:
            words = condition(contender)
        except BaseException as error:
            words = sentence(error)
        os.write(writer, words.encode())
        os._exit(0)
    os.close(writer)
    until = time.monotonic() + SECONDS
    while time.monotonic() < until:
        if os.waitpid(pid, os.WNOHANG)[0]:
            with os.fdopen(reader) as said:
                return said.read() or "death of the process"
        time.sleep(0.05)
    os.kill(pid, signal.SIGKILL)
    os.waitpid(pid, 0)
    os.close(reader)
    return f"not done in {SECONDS} s"


def report_one(name):
    """Print a line for each condition."""
    contender = CONTENDERS[name]
    with open(os.devnull, "w") as null, contextlib.redirect_stdout(null):
        contender.make(1).fit(bent_sheet())  # imports what it needs, once for all children
    for label, condition in CONDITIONS.items():
        print(f"{label}\t{observed(condition, contender)}", flush=True)


def main():
    if len(sys.argv) > 1:
        return report_one(sys.argv[1])
    results = {}
    for name in CONTENDERS:
        run = subprocess.run(
            [sys.executable, "-W", "ignore", __file__, name], capture_output=True, text=True
        )
        lines = [line.split("\t") for line in run.stdout.splitlines() if "\t" in line]
        if lines:
            results[name] = dict(lines)
    heads = [f"{name} {version(DISTRIBUTIONS[name])}" for name in results]
    table = [["condition", *heads]]
    table += [[label, *(results[name][label] for name in results)] for label in CONDITIONS]
    with open(Path(__file__).with_suffix(".csv"), "w", newline="") as file:
        csv.writer(file).writerows(table)  # which the manual shows
    table.insert(1, ["---"] * len(table[0]))
    for row in table:
        print(f"| {' | '.join(row)} |")


if __name__ == "__main__":
    main()
