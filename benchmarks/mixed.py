"""How well do autoencoders and linear methods give back numbers and categories of mixed tables?

Tables:

* adult: rows like those of the census income data of 1994 (Kohavi 1996), made by `adult_like`
  below, whose docstring says how: 10 columns, imbalanced, some categories missing;
* diabetes, breast_cancer, wine: scikit-learn's, with every second column cut at its quintiles into
  categories (strings), and the target (that of diabetes cut at its quartiles) as another.

A quarter of the rows is held out. Contenders, at codes of k = 2, 4, 8:

* pca: indicators and standardised numbers, side by side, and PCA;
* famd: the same with indicators divided by the root of their share, which is factor analysis of
  mixed data;
* skae: `TabularAutoencoder` with default parameters, on the frame as it is.

Measured on held-out rows: R2 of the numbers (mean over columns), accuracy of the categories (the
largest indicator or probability; booleans are categories, too) and their log-loss in nats (mean
over columns). Indicators of the linear methods are no probabilities; they are clipped to
[0.001, 1] and made to sum to 1. Missing cells are not measured; before PCA, numbers are filled with
their means, and a missing category is the mean of its indicators.

    python benchmarks/mixed.py run --out results.jsonl [--tables adult] [--seeds 0 1 2]
    python benchmarks/mixed.py report results.jsonl

`run` appends one line of JSON for each result and skips fits that are there already.
"""

import argparse
import json
import time
import warnings
from collections import defaultdict
from pathlib import Path

import numpy as np
import pandas as pd
from sklearn.datasets import load_breast_cancer, load_diabetes, load_wine
from sklearn.decomposition import PCA
from sklearn.model_selection import train_test_split

from skae import TabularAutoencoder

WIDTHS = (2, 4, 8)
EDUCATION = ("HS-grad", "Some-college", "Bachelors", "Masters", "11th", "Assoc", "Doctorate", "7th")
YEARS = dict(zip(EDUCATION, (9, 10, 13, 14, 7, 12, 16, 4), strict=True))


def choose(rng, options, weights):
    """One of some options for each row, by weights of shape (n, n_options)."""
    share = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    place = (rng.uniform(size=(len(share), 1)) > share).sum(axis=1)
    return np.array(options, dtype=object)[np.minimum(place, len(options) - 1)]


def adult_like(n_samples=10_000, seed=0):
    """Rows like those of the census income data.

    Age is a gamma variable from 17. Schooling depends on age: the young have not finished yet.
    `education_num` is the years that `education` stands for, as in the original, so that one says
    the other. A hidden level of skill, by schooling and chance, orders occupations; these depend
    on sex, as they did. The chance to be married rises with age and falls from 65; who is not, is
    single when young, else divorced or widowed. Hours are around 40, more for the self-employed,
    managers and men, fewer for the young and the old, and in steps of 5 for most. The log-odds of
    an income above 50,000 add up from schooling, age, hours, marriage, skill and capital gain:
    about a quarter. Capital gain is zero for nine in ten, else log-normal, and larger with skill.
    Workclass and occupation are missing together for 6 %, the young and the old above all.
    """
    rng = np.random.default_rng(seed)
    n = n_samples
    age = np.clip(17 + rng.gamma(2.2, 10, size=n), 17, 90).astype(int)
    young, old = age < 23, age > 64
    sex = np.where(rng.uniform(size=n) < 0.67, "Male", "Female")
    weights = np.tile([0.32, 0.22, 0.17, 0.06, 0.07, 0.08, 0.02, 0.06], (n, 1))
    weights[young] *= [1.1, 2.0, 0.2, 0.0, 2.5, 0.4, 0.0, 0.5]
    weights[old] *= [1.0, 0.7, 0.8, 1.0, 1.5, 0.5, 1.5, 3.0]
    education = choose(rng, EDUCATION, weights)
    years = np.array([YEARS[name] for name in education])
    skill = 0.3 * (years - 10) + rng.normal(size=n)
    male = sex == "Male"
    jobs = {  # level of skill, share of men in log-odds, frequency
        "Craft-repair": (-0.4, 2.5, 0.13), "Prof-specialty": (1.8, 0.0, 0.13),
        "Exec-managerial": (1.2, 0.4, 0.13), "Adm-clerical": (0.0, -1.8, 0.12),
        "Sales": (0.2, 0.0, 0.11), "Other-service": (-1.0, -0.9, 0.1),
        "Machine-op": (-0.9, 0.4, 0.06), "Transport": (-0.8, 2.5, 0.05),
        "Handlers": (-1.0, 1.8, 0.04), "Farming": (-0.9, 2.0, 0.03),
    }  # fmt: skip
    level, men, frequency = map(np.array, zip(*jobs.values(), strict=True))
    fit = np.exp(-0.5 * (skill[:, None] - level) ** 2 + np.where(male[:, None], men, -men) / 2)
    occupation = choose(rng, list(jobs), frequency * fit)
    manager = occupation == "Exec-managerial"
    farming = occupation == "Farming"
    weights = np.tile([0.74, 0.08, 0.04, 0.07, 0.04, 0.03], (n, 1))
    weights[farming] *= [0.4, 6, 1, 0.2, 0.2, 0.1]
    weights[occupation == "Prof-specialty"] *= [0.7, 1, 1, 2.2, 2, 1.5]
    weights[manager] *= [0.9, 1.3, 3, 1, 1, 1.5]
    classes = ("Private", "Self-emp", "Self-emp-inc", "Local-gov", "State-gov", "Federal-gov")
    workclass = choose(rng, classes, weights)
    married = rng.uniform(size=n) < 0.65 / (1 + np.exp(-(age - 27) / 4)) * np.where(old, 0.8, 1)
    single = np.exp(-(age - 17) / 14)
    widowed = 1 / (1 + np.exp(-(age - 66) / 6))
    other = choose(
        rng, ("Never-married", "Divorced", "Widowed"), np.c_[single, 0.35 + 0 * single, widowed]
    )
    marital = np.where(married, "Married", other)
    hours = 39 + 6 * male + 5 * manager + 9 * farming - 14 * young - 12 * old
    hours = hours + 5 * (workclass == "Self-emp-inc") + rng.normal(scale=8, size=n)
    hours = np.where(rng.uniform(size=n) < 0.7, 5 * np.round(hours / 5), hours)
    hours = np.where((rng.uniform(size=n) < 0.35) & ~young & ~old, 40, hours)
    gains = rng.uniform(size=n) < 0.04 + 0.06 / (1 + np.exp(-skill))
    gain = np.where(gains, np.exp(8 + 0.5 * skill + 0.8 * rng.normal(size=n)), 0).clip(0, 99_999)
    odds = -4.6 + 0.25 * (years - 10) + 0.035 * (age - 40) + 0.04 * (hours - 40) + 2.2 * married
    odds = odds + 0.6 * skill + 1.5 * (gain > 5000) - 1.0 * young
    income = rng.uniform(size=n) < 1 / (1 + np.exp(-odds))
    frame = pd.DataFrame(
        {
            "age": age,
            "workclass": workclass,
            "education": pd.Categorical(education, categories=EDUCATION),
            "education_num": years,
            "marital_status": marital,
            "occupation": occupation,
            "sex": sex,
            "hours": np.clip(hours, 1, 99).astype(int),
            "capital_gain": np.round(gain).astype(int),
            "high_income": income,
        }
    )
    missing = rng.uniform(size=n) < np.where(young | old, 0.15, 0.03)
    frame.loc[missing, ["workclass", "occupation"]] = None
    return frame


def binned(data):
    """A numeric table with every second column cut at its quintiles, and its target."""
    frame = data.data.copy()
    for name in frame.columns[1::2]:
        edges = np.unique(np.quantile(frame[name], [0, 0.2, 0.4, 0.6, 0.8, 1]))
        frame[name] = pd.cut(frame[name], edges, include_lowest=True, labels=False).map(str)
    target = data.target
    if target.nunique() > 10:
        target = pd.qcut(target, 4, labels=["low", "middling", "high", "highest"])
    frame["target"] = target.astype(str)
    return frame


TABLES = {
    "adult": lambda seed: adult_like(seed=seed),
    "diabetes": lambda seed: binned(load_diabetes(as_frame=True)),
    "breast_cancer": lambda seed: binned(load_breast_cancer(as_frame=True)),
    "wine": lambda seed: binned(load_wine(as_frame=True)),
}


def kinds(frame):
    """Names of the columns of numbers, and of the others."""
    numbers = [
        name
        for name in frame.columns
        if pd.api.types.is_numeric_dtype(frame[name]) and frame[name].dtype != bool
    ]
    return numbers, [name for name in frame.columns if name not in numbers]


class Linear:
    """PCA of standardised numbers and indicators, over the roots of their shares if `famd`."""

    def __init__(self, n_components, *, famd):
        self.n_components, self.famd = n_components, famd

    def fit(self, frame):
        self.numbers, self.others = kinds(frame)
        self.mean = frame[self.numbers].mean()
        self.std = frame[self.numbers].std(ddof=0)
        self.categories = {name: sorted(frame[name].dropna().unique()) for name in self.others}
        self.share = {
            name: np.array([(frame[name] == item).sum() for item in items]) / frame[name].count()
            for name, items in self.categories.items()
        }
        self.pca = PCA(self.n_components, random_state=0).fit(self.encode(frame))
        return self

    def encode(self, frame):
        blocks = [((frame[self.numbers] - self.mean) / self.std).fillna(0).to_numpy()]
        for name, items in self.categories.items():
            hit = np.array([frame[name] == item for item in items]).T.astype(float)
            hit[~np.isin(frame[name], items)] = self.share[name]
            blocks.append((hit - self.share[name]) / (self.share[name] ** 0.5 if self.famd else 1))
        return np.hstack(blocks)

    def reconstruct(self, frame):
        """Numbers, and probabilities of the categories by column."""
        found = self.pca.inverse_transform(self.pca.transform(self.encode(frame)))
        d = len(self.numbers)
        numbers = found[:, :d] * self.std.to_numpy() + self.mean.to_numpy()
        shares, start = {}, d
        for name, share in self.share.items():
            block = found[:, start : start + len(share)]
            start += len(share)
            shares[name] = block * (share**0.5 if self.famd else 1) + share
        return numbers, {
            name: np.clip(p, 1e-3, 1) / np.clip(p, 1e-3, 1).sum(axis=1, keepdims=True)
            for name, p in shares.items()
        }


class Skae:
    """`TabularAutoencoder`; probabilities are those of the module's heads."""

    def __init__(self, n_components, **parameters):
        self.model = TabularAutoencoder(n_components, random_state=0, **parameters)

    def fit(self, frame):
        self.numbers, self.others = kinds(frame)
        self.model.fit(frame)
        items = dict(zip(frame.columns, self.model.categories_, strict=True))
        self.categories = {name: items[name] for name in self.others}
        return self

    def reconstruct(self, frame):
        Z = self.model.transform(frame)
        probabilities = self.model.category_probabilities(Z)
        back = self.model.inverse_transform(Z)
        return back[self.numbers].to_numpy(float), {
            name: probabilities[name] for name in self.others
        }


CONTENDERS = {
    "pca": lambda k: Linear(k, famd=False),
    "famd": lambda k: Linear(k, famd=True),
    "skae": Skae,
}


def measure(contender, test):
    """R2, accuracy and log-loss on held-out rows."""
    numbers, shares = contender.reconstruct(test)
    truth = test[contender.numbers].to_numpy(float)
    known = ~np.isnan(truth)
    centre = np.nanmean(truth, axis=0)
    left = np.where(known, (truth - numbers) ** 2, 0).sum(axis=0)
    r2 = 1 - left / np.where(known, (truth - centre) ** 2, 0).sum(axis=0)
    right, loss = [], []
    for name, p in shares.items():
        items = {item: i for i, item in enumerate(contender.categories[name])}
        codes = np.array([items.get(value, -1) for value in test[name]])
        rows = np.flatnonzero(codes >= 0)
        right.append((p[rows].argmax(axis=1) == codes[rows]).mean())
        loss.append(-np.log(p[rows, codes[rows]]).mean())
    return {
        "r2": float(r2.mean()),
        "accuracy": float(np.mean(right)),
        "log_loss": float(np.mean(loss)),
    }


def run(arguments):
    out = Path(arguments.out)
    done = set()
    if out.exists():
        lines = map(json.loads, out.read_text().splitlines())
        done = {(line["table"], line["k"], line["seed"], line["contender"]) for line in lines}
    for table in arguments.tables:
        for seed in arguments.seeds:
            train, test = train_test_split(TABLES[table](seed), test_size=0.25, random_state=seed)
            for k in arguments.widths:
                for name in arguments.contenders:
                    if (table, k, seed, name) in done:
                        continue
                    start = time.perf_counter()
                    with warnings.catch_warnings():
                        warnings.simplefilter("ignore")
                        contender = CONTENDERS[name](k).fit(train)
                    seconds = time.perf_counter() - start
                    line = {"table": table, "rows": len(train), "k": k, "seed": seed}
                    line |= {"contender": name, **measure(contender, test), "seconds": seconds}
                    with out.open("a") as file:
                        file.write(json.dumps(line) + "\n")


def report(arguments):
    found = defaultdict(lambda: defaultdict(list))
    for line in map(json.loads, Path(arguments.results).read_text().splitlines()):
        case = found[line["table"], line["rows"], line["k"]]
        case[line["contender"]].append([line["r2"], line["accuracy"], line["log_loss"]])
    names = list(CONTENDERS)
    heads = [f"{what}, {name}" for what in ("R2", "accuracy", "log-loss") for name in names]
    print("| table | rows | k | " + " | ".join(heads) + " |")
    print("|" + "---|" * (len(heads) + 3))
    for (table, rows, k), case in found.items():
        if set(case) != set(names):
            continue
        means = {name: np.mean(case[name], axis=0) for name in names}
        cells = [f"{means[name][i]:.3f}" for i in range(3) for name in names]
        print(f"| {table} | {rows} | {k} | " + " | ".join(cells) + " |")


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    commands = parser.add_subparsers(required=True)
    command = commands.add_parser("run")
    command.add_argument("--out", required=True)
    command.add_argument("--tables", nargs="+", default=list(TABLES), choices=list(TABLES))
    command.add_argument("--seeds", nargs="+", type=int, default=[0, 1, 2])
    command.add_argument("--widths", nargs="+", type=int, default=list(WIDTHS))
    command.add_argument("--contenders", nargs="+", default=list(CONTENDERS))
    command.set_defaults(function=run)
    command = commands.add_parser("report")
    command.add_argument("results")
    command.set_defaults(function=report)
    arguments = parser.parse_args()
    arguments.function(arguments)
