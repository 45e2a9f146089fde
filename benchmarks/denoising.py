"""How clean do denoisers leave noisy images? PCA, KernelPCA, filters, regressions and skae.

Gaussian noise, not clipped, is added to images in [0, 1], and the estimate of the clean image is
scored by its peak signal-to-noise ratio, 10 log10(1 / mse), in dB. Tasks:

* digits: scikit-learn's digits, split 75/25, noise of standard deviation 0.5;
* gallery: as in scikit-learn's example "Image denoising using kernel PCA", 1,000 rows to fit, 100
  to clean, noise of 0.25; on its digits, as USPS does not come with it;
* mnist: 10,000 rows to fit, 2,000 to clean, noise of 0.5.

Every peer has the best of a grid of settings, chosen by its score on the very rows to be cleaned,
which flatters it. PCA and KernelPCA are fitted on noisy rows, as in the gallery, and on clean ones,
and given the better. skae's first setting is its default but for the level of the noise. A setting
ending in x10 learns from ten noisy copies of each row.

    python benchmarks/denoising.py run --data DIR --out results.jsonl [--tasks digits] [--rows N]
    python benchmarks/denoising.py report results.jsonl

`run` appends one line of JSON for each fit and skips those that are there already. `DIR` holds
`mnist.npz`; the other tasks do not need it.
"""

import argparse
import json
import time
import warnings
from collections import defaultdict
from dataclasses import dataclass
from itertools import product
from pathlib import Path

import numpy as np
from scipy.ndimage import gaussian_filter, median_filter
from sklearn.datasets import load_digits
from sklearn.decomposition import PCA, KernelPCA
from sklearn.linear_model import Ridge
from sklearn.model_selection import train_test_split
from sklearn.neural_network import MLPRegressor


@dataclass
class Task:
    """Images to learn from, clean and with noise, and images to clean."""

    clean: np.ndarray
    test: np.ndarray
    std: float
    shape: tuple
    seed: int

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        self.noisy = self.clean + self.std * rng.standard_normal(self.clean.shape)
        self.noisy_test = self.test + self.std * rng.standard_normal(self.test.shape)


def digits(seed, data, n_rows):
    X_train, X_test = train_test_split(load_digits().data / 16, test_size=0.25, random_state=seed)
    return Task(X_train, X_test, 0.5, (8, 8), seed)


def gallery(seed, data, n_rows):
    X_train, X_test = train_test_split(
        load_digits().data / 16, train_size=1000, test_size=100, random_state=seed
    )
    return Task(X_train, X_test, 0.25, (8, 8), seed)


def mnist(seed, data, n_rows):
    rng = np.random.default_rng(seed)
    with np.load(data / "mnist.npz") as archive:
        train, test = (
            rng.permutation(archive[name].reshape(-1, 784))[:n] / 255
            for name, n in (("X_train", n_rows), ("X_test", 2000))
        )
    return Task(train, test, 0.5, (28, 28), seed)


TASKS = {"digits": digits, "gallery": gallery, "mnist": mnist}
SEEDS = {"digits": (0, 1, 2), "gallery": (0, 1, 2), "mnist": (0,)}


def fit_nothing(task):
    return lambda X: X


def fit_median(task, size):
    return lambda X: median_filter(X.reshape(-1, *task.shape), size=(1, size, size)).reshape(
        X.shape
    )


def fit_blur(task, sigma):
    return lambda X: gaussian_filter(X.reshape(-1, *task.shape), (0, sigma, sigma)).reshape(X.shape)


def fit_pca(task, n_components, rows):
    model = PCA(n_components, random_state=task.seed).fit(getattr(task, rows))
    return lambda X: model.inverse_transform(model.transform(X))


def fit_kernel_pca(task, n_components, gamma, alpha, rows):
    model = KernelPCA(
        n_components,
        kernel="rbf",
        gamma=gamma,
        alpha=alpha,
        fit_inverse_transform=True,
        eigen_solver="dense" if len(task.clean) <= 2000 else "randomized",
        random_state=task.seed,
    ).fit(getattr(task, rows))
    return lambda X: model.inverse_transform(model.transform(X))


def noisy_copies(task, n_copies):
    """Noisy rows and what is to be said of them, each clean row `n_copies` times."""
    clean = np.tile(task.clean, (n_copies, 1))
    rng = np.random.default_rng(task.seed + 1)
    return clean + task.std * rng.standard_normal(clean.shape), clean


def fit_ridge(task, alpha, n_copies):
    return Ridge(alpha).fit(*noisy_copies(task, n_copies)).predict


def fit_mlp(task, n_copies, early_stopping):
    return (
        MLPRegressor(early_stopping=early_stopping, random_state=task.seed)
        .fit(*noisy_copies(task, n_copies))
        .predict
    )


def fit_skae(task, n_components):
    from skae import DenoisingAutoencoder

    return (
        DenoisingAutoencoder(
            n_components,
            corruption="gaussian",
            corruption_level=task.std,
            random_state=task.seed,
        )
        .fit(task.clean)
        .denoise
    )


FITS = {
    "noisy image": fit_nothing,
    "median filter": fit_median,
    "Gaussian filter": fit_blur,
    "PCA": fit_pca,
    "KernelPCA": fit_kernel_pca,
    "Ridge": fit_ridge,
    "MLPRegressor": fit_mlp,
    "skae": fit_skae,
}
SMALL = {
    "noisy image": {},
    "median filter": {"size": (2, 3, 5)},
    "Gaussian filter": {"sigma": (0.4, 0.5, 0.6, 0.75, 1.0, 1.25, 1.5)},
    "PCA": {"n_components": (2, 4, 6, 8, 10, 12, 16, 20, 24, 32, 48), "rows": ("noisy", "clean")},
    "KernelPCA": {
        "n_components": (16, 32, 64, 400),
        "gamma": (1e-3, 3e-3, 1e-2, 3e-2, 1e-1),
        "alpha": (5e-3, 5e-2, 5e-1),
        "rows": ("noisy", "clean"),
    },
    "Ridge": {"alpha": (1.0, 100.0), "n_copies": (1, 10)},
    "MLPRegressor": {"n_copies": (1, 10), "early_stopping": (False, True)},
    "skae": {"n_components": (None, 32, 16, 8)},
}
LARGE = SMALL | {
    "median filter": {"size": (3, 5, 7)},
    "Gaussian filter": {"sigma": (0.75, 1.0, 1.25, 1.5, 2.0)},
    "PCA": {"n_components": (8, 16, 24, 32, 40, 48, 64, 96, 128), "rows": ("noisy", "clean")},
    "KernelPCA": {
        "n_components": (400,),
        "gamma": (1e-3, 3e-3, 1e-2),
        "alpha": (5e-2, 5e-1),
        "rows": ("noisy", "clean"),
    },
    "MLPRegressor": {"n_copies": (1,), "early_stopping": (False, True)},
    "skae": {"n_components": (None, 128, 32)},
}
GRIDS = {"digits": SMALL, "gallery": SMALL, "mnist": LARGE}


def settings(task, method):
    grid = GRIDS[task][method]
    return [dict(zip(grid, values, strict=True)) for values in product(*grid.values())]


def measure(task, method, setting):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        start = time.perf_counter()
        denoise = FITS[method](task, **setting)
        fitted = time.perf_counter()
        estimate = denoise(task.noisy_test)
        end = time.perf_counter()
    psnr = -10 * np.log10(np.mean((estimate - task.test) ** 2))
    return {"psnr": psnr, "fit_seconds": fitted - start, "transform_seconds": end - fitted}


def run(data, out, tasks, methods, seeds, n_rows):
    out.touch()

    def key(record):
        return json.dumps([record[name] for name in ("task", "seed", "method", "setting")])

    done = {key(json.loads(line)) for line in out.read_text().splitlines()}
    for name in tasks:
        for seed in seeds or SEEDS[name]:
            task = TASKS[name](seed, data, n_rows)
            for method in methods:
                for setting in settings(name, method):
                    case = {"task": name, "seed": seed, "method": method, "setting": setting}
                    if key(case) in done:
                        continue
                    with out.open("a") as file:
                        file.write(json.dumps(case | measure(task, method, setting)) + "\n")


def describe(setting):
    """The settings in short, such as "n_components=32, rows=clean"."""
    return ", ".join(f"{name}={value}" for name, value in setting.items())


def report(paths):
    """Tables of Markdown: each method at its best setting, and all of skae's."""
    results = defaultdict(list)
    for record in (json.loads(line) for path in paths for line in path.read_text().splitlines()):
        setting = json.dumps(record["setting"])
        results[record["task"], record["method"], setting].append(record)

    def mean(case, name):
        return np.mean([record[name] for record in results[case]])

    for task in (task for task in TASKS if any(case[0] == task for case in results)):
        print(f"\n{task}\n")
        print("| method | setting | PSNR (dB) | lowest | highest | fit (s) | clean (s) |")
        print("|---|---|---|---|---|---|---|")
        for method in FITS:
            cases = [case for case in results if case[:2] == (task, method)]
            if not cases:
                continue
            best = max(cases, key=lambda case: mean(case, "psnr"))
            for case in cases if method == "skae" else [best]:
                setting = describe(json.loads(case[2])) or "-"
                if case == cases[0] and method == "skae":
                    setting += " (default)"
                scores = [record["psnr"] for record in results[case]]
                print(
                    f"| {method} | {setting} | {np.mean(scores):.2f} | {min(scores):.2f}"
                    f" | {max(scores):.2f} | {mean(case, 'fit_seconds'):.2f}"
                    f" | {mean(case, 'transform_seconds'):.3f} |"
                )


def main():
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawTextHelpFormatter
    )
    commands = parser.add_subparsers(dest="command", required=True)
    runner = commands.add_parser("run")
    runner.add_argument("--data", type=Path)
    runner.add_argument("--out", type=Path, required=True)
    runner.add_argument("--tasks", nargs="+", default=list(TASKS), choices=list(TASKS))
    runner.add_argument("--methods", nargs="+", default=list(FITS), choices=list(FITS))
    runner.add_argument("--seeds", nargs="+", type=int, help="default: 0 1 2, but 0 for mnist")
    runner.add_argument("--rows", type=int, default=10_000, help="of mnist, to learn from")
    reporter = commands.add_parser("report")
    reporter.add_argument("results", nargs="+", type=Path)
    arguments = parser.parse_args()
    if arguments.command == "report":
        return report(arguments.results)
    if arguments.data is None and "mnist" in arguments.tasks:
        parser.error("the task mnist needs --data, the folder of mnist.npz")
    run(
        arguments.data,
        arguments.out,
        arguments.tasks,
        arguments.methods,
        arguments.seeds,
        arguments.rows,
    )


if __name__ == "__main__":
    main()
