"""How fast is skae, beside others on the same table and beside bare matrix products?

    python benchmarks/speed.py peers [--data DIR] [--tables T ...] [--peers P ...] [--seeds S ...]
    python benchmarks/speed.py products
    python benchmarks/speed.py growth [--seeds S ...]
    python benchmarks/speed.py use [--rows 1000000]
    python benchmarks/speed.py memory

`peers`: a peer's fit, with its defaults, and the held-out R2 at its end; then skae's fits, each
from scratch, with more and more epochs and everything else at its default, the choice of epochs and
the training on all rows included, until one reaches that R2. The ratio is the seconds of that fit
over the peer's. `products`: the time that the matrix products of an epoch take by themselves, over
that of an epoch of training, held-out rows and bookkeeping included. `growth`: by what a default
fit's seconds are multiplied when rows or columns are doubled. `use`: seconds of transform and
others over those of their matrix products, 1,000,000 x 50; score_samples takes the decoder's slopes
along k components by the chain rule, in double precision, and is compared with these products, too.
`memory`: the most that fit and transform take besides X, in sizes of X, which is in float64.
Everything side by side, in turn, medians of several runs.

Everything is computed on one thread, and seconds are those of the processor: other work on the
machine counts for less than it does on a clock.
"""

import argparse
import json
import subprocess
import sys
import threading
import time
import warnings
from itertools import pairwise
from pathlib import Path

import numpy as np
import torch
from reconstruction import fit_encdr, fit_mlp, fit_pyod
from sklearn.metrics import r2_score
from sklearn.model_selection import train_test_split
from sklearn.preprocessing import StandardScaler
from threadpoolctl import threadpool_limits

from skae import AutoencoderTransformer

EPOCHS = (0, 1, 2, 4, 8, 16, 32, 64, 128, 256)
NETWORKS = {  # n_features, hidden_layer_sizes, n_components: rows
    (784, (1000, 500, 250), 30): 12_000,
    (100, (256, 64), 16): 60_000,
    (20, (64, 32), 8): 120_000,
}
BATCH = 1024


def curved(n_samples, n_features, seed=0):
    """Rows on a curved manifold, with noise, standardised."""
    rng = np.random.default_rng(seed)
    z = rng.normal(size=(n_samples, max(2, n_features // 5)))
    z = np.hstack([z, np.sin(2 * z), z**2 - 1])
    X = z @ rng.normal(size=(z.shape[1], n_features)) + 0.3 * rng.normal(
        size=(n_samples, n_features)
    )
    return StandardScaler().fit_transform(X).astype(np.float32)


def mnist(folder, n_samples):
    with np.load(Path(folder) / "mnist.npz") as archive:
        X = archive["X_train"][:n_samples].reshape(n_samples, -1)
    return (X / 255).astype(np.float32)


class Network(torch.nn.Sequential):
    """What MLPRegressor has, too, for the loop and for skorch."""

    def __init__(self, d, k):
        layers = [torch.nn.Linear(*pair) for pair in [(d, 100), (100, k), (k, 100), (100, d)]]
        super().__init__(*[part for layer in layers[:-1] for part in (layer, torch.nn.ReLU())])
        self.append(layers[-1])

    def reconstruct(self, X):
        with torch.no_grad():
            return self.eval()(torch.from_numpy(X).float()).numpy()


def fit_loop(X, n_components, seed):
    """What a tutorial shows."""
    torch.manual_seed(seed)  # noqa: TID251 - as a tutorial does
    rows = torch.utils.data.TensorDataset(torch.from_numpy(X).float())
    loader = torch.utils.data.DataLoader(rows, batch_size=32, shuffle=True)
    model = Network(X.shape[1], n_components)
    optimizer = torch.optim.Adam(model.parameters(), lr=1e-3)
    for _ in range(20):
        for (x,) in loader:
            optimizer.zero_grad()
            torch.nn.functional.mse_loss(model(x), x).backward()
            optimizer.step()
    return model.reconstruct


def fit_skorch(X, n_components, seed):
    from skorch import NeuralNetRegressor

    torch.manual_seed(seed)  # noqa: TID251 - it has no argument for it
    X = X.astype(np.float32)
    net = NeuralNetRegressor(
        Network,
        module__d=X.shape[1],
        module__k=n_components,
        optimizer=torch.optim.Adam,
        lr=1e-3,
        batch_size=32,
        max_epochs=20,
        verbose=0,
    )
    return net.fit(X, X).module_.reconstruct


PEERS = {
    "mlp": fit_mlp,
    "loop": fit_loop,
    "skorch": fit_skorch,
    "pyod": fit_pyod,
    "encdr": fit_encdr,
}


def tables(folder):
    """Names, and what makes the rows."""
    sizes = [(500, 10), (2_000, 20), (10_000, 50), (10_000, 500), (100_000, 10), (600_000, 10)]
    made = {f"{n:,} x {d}": lambda n=n, d=d: curved(n, d) for n, d in sizes}
    if folder is not None:
        made["MNIST 10,000 x 784"] = lambda: mnist(folder, 10_000)
    return made


def timed(fit):
    start = time.process_time()
    result = fit()
    return time.process_time() - start, result


def r2(X, reconstruct):
    return r2_score(X, reconstruct(X), multioutput="variance_weighted")


def time_to_reach(goal, train, test, n_components, seed):
    for n_epochs in EPOCHS:
        model = AutoencoderTransformer(n_components, max_iter=n_epochs, random_state=seed)
        seconds, model = timed(lambda model=model: model.fit(train))
        if r2(test, lambda X, m=model: m.inverse_transform(m.transform(X))) >= goal:
            return seconds, n_epochs
    return np.inf, None


def peers(arguments):
    AutoencoderTransformer(1, max_iter=1).fit(np.eye(20))  # import and warm up
    print("| table | peer | R2 | peer's seconds | skae's seconds | epochs | ratio |")
    print("|---|---|---|---|---|---|---|", flush=True)
    ratios = {}
    for table, rows in tables(arguments.data).items():
        if arguments.tables and table not in arguments.tables:
            continue
        X = rows()
        k = max(1, X.shape[1] // 4)
        for peer in arguments.peers:
            runs = []
            for seed in arguments.seeds:
                train, test = train_test_split(X, test_size=0.25, random_state=seed)
                seconds, reconstruct = timed(
                    lambda train=train, k=k, seed=seed, peer=peer: PEERS[peer](train, k, seed)
                )
                goal = r2(test, reconstruct)
                own, n_epochs = time_to_reach(goal, train, test, k, seed)
                runs.append((own / seconds, goal, seconds, own, n_epochs))
            ratio, goal, seconds, own, n_epochs = sorted(runs)[len(runs) // 2]
            ratios.setdefault(peer, []).append(ratio)
            print(
                f"| {table} | {peer} | {goal:.3f} | {seconds:.2f} | {own:.2f} | {n_epochs} | "
                f"{ratio:.2f} |",
                flush=True,
            )
    for peer, values in ratios.items():
        print(f"{peer}: median {np.median(values):.2f}, worst {max(values):.2f}")


def products_of_an_epoch(widths, n_samples):
    """Seconds of the products of forward and backward passes over all rows."""
    weights = [torch.randn(out, into) for into, out in pairwise(widths)]
    x = [torch.randn(BATCH, width) for width in widths]

    def step():
        for i, w in enumerate(weights):
            torch.mm(x[i], w.T)
            torch.mm(x[i + 1].T, x[i])
            if i > 0:
                torch.mm(x[i + 1], w)

    step()
    n_steps = max(3, round(n_samples / BATCH))
    return timed(lambda: [step() for _ in range(n_steps)])[0] * n_samples / (n_steps * BATCH)


def products(arguments):
    print("| network | epoch, s | products, s | share |\n|---|---|---|---|")
    for (d, hidden, k), n in NETWORKS.items():
        X = np.random.default_rng(0).normal(size=(n, d)).astype(np.float32)
        widths, runs = [d, *hidden, k, *hidden[::-1], d], []

        def epochs(n_epochs, X=X, hidden=hidden, k=k):
            model = AutoencoderTransformer(
                k,
                hidden_layer_sizes=hidden,
                batch_size=BATCH,
                max_iter=n_epochs,
                cv=None,
                refit=False,
                n_iter_no_change=None,
                random_state=0,
            )
            return timed(lambda: model.fit(X))[0]

        for _ in range(5):
            epoch = (epochs(6) - epochs(1)) / 5
            runs.append((products_of_an_epoch(widths, 0.9 * n) / epoch, epoch))
        share, epoch = sorted(runs)[2]
        name = "-".join(map(str, widths[: len(widths) // 2 + 1]))
        print(f"| {name} | {epoch:.3f} | {share * epoch:.3f} | {share:.2f} |", flush=True)


def growth(arguments):
    print("| rows | columns | seconds | times |\n|---|---|---|---|")
    for shapes in (
        [(n, 20) for n in (5_000, 10_000, 20_000, 40_000, 80_000)],
        [(10_000, d) for d in (25, 50, 100, 200, 400)],
    ):
        before = None
        for shape in shapes:
            X = curved(*shape)
            seconds = np.median(
                [
                    timed(lambda X=X, s=s: AutoencoderTransformer(8, random_state=s).fit(X))[0]
                    for s in arguments.seeds
                ]
            )
            times = "" if before is None else f"{seconds / before:.2f}"
            print(f"| {shape[0]:,} | {shape[1]} | {seconds:.2f} | {times} |", flush=True)
            before = seconds


def use(arguments):
    X = curved(arguments.rows, 50)
    model = AutoencoderTransformer(8, max_iter=2, random_state=0).fit(X[:20_000])
    coders = [model.module_.autoencoder.encoder, model.module_.autoencoder.decoder]
    shapes = [[tuple(p.shape) for p in coder.parameters() if p.ndim == 2] for coder in coders]

    def bare(shapes, n=4096, dtype=torch.float32):
        rows = {width: torch.randn(n, width, dtype=dtype) for shape in shapes for width in shape}
        found = {width: torch.empty_like(x) for width, x in rows.items()}
        weights = [torch.randn(into, out, dtype=dtype) for out, into in shapes]
        n_times = len(X) // n

        def products():
            for w in weights:
                torch.mm(rows[w.shape[0]], w, out=found[w.shape[1]])

        seconds = timed(lambda: [products() for _ in range(n_times)])[0]
        return seconds * len(X) / (n_times * n)

    Z = model.transform(X)
    calls = {
        "transform": (lambda: model.transform(X), shapes[0]),
        "inverse_transform": (lambda: model.inverse_transform(Z), shapes[1]),
        "score_samples": (lambda: model.score_samples(X), shapes[0] + shapes[1]),
    }
    print("| method | seconds | products, s | times |\n|---|---|---|---|")
    for name, (call, products) in calls.items():
        runs = [(timed(call)[0], bare(products)) for _ in range(5)]
        seconds, least = np.median(runs, axis=0)
        print(f"| {name} | {seconds:.2f} | {least:.2f} | {seconds / least:.1f} |", flush=True)
    k = model.n_components_
    # the chain rule's, along each component; those with the code itself are the same for all rows
    evaluated = shapes[0] + shapes[1] + k * [shape for shape in shapes[1] if shape[1] != k]
    least = np.median([bare(evaluated, dtype=torch.float64) for _ in range(5)])
    print(
        f"| the same, by its own products | {seconds:.2f} | {least:.2f} | {seconds / least:.1f} |"
    )


def memory_of(method):
    """The most that a method takes besides X, in sizes of X; in a process of its own."""
    import psutil

    X = curved(1_000_000, 50).astype(np.float64)
    AutoencoderTransformer(8, max_iter=1, random_state=0).fit(X[:2000])
    model = AutoencoderTransformer(8, max_iter=1, random_state=0)
    if method != "fit":
        model.fit(X[:20_000])
    process, peak, done = psutil.Process(), [0], threading.Event()

    def watch():
        while not done.wait(0.002):
            peak[0] = max(peak[0], process.memory_info().rss)

    before = process.memory_info().rss
    watcher = threading.Thread(target=watch)
    watcher.start()
    getattr(model, method)(X)
    done.set()
    watcher.join()
    print(json.dumps((peak[0] - before) / X.nbytes))


def memory(arguments):
    print("| method | sizes of X |\n|---|---|")
    for method in ("fit", "transform", "score_samples"):
        command = [sys.executable, __file__, "memory", "--method", method]
        found = subprocess.run(command, check=True, capture_output=True, text=True).stdout
        print(f"| {method} | {float(found):.2f} |", flush=True)


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    parser.add_argument("what", choices=["peers", "products", "growth", "use", "memory"])
    parser.add_argument("--data", type=Path)
    parser.add_argument("--tables", nargs="+")
    parser.add_argument("--peers", nargs="+", default=list(PEERS), choices=PEERS)
    parser.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    parser.add_argument("--rows", type=int, default=1_000_000, help="of use")
    parser.add_argument("--method")
    arguments = parser.parse_args()
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    with threadpool_limits(1):
        if arguments.method:
            memory_of(arguments.method)
        else:
            globals()[arguments.what](arguments)


if __name__ == "__main__":
    main()
