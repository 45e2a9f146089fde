"""Parameters are documented once, and every variant's docstring is complete all the same."""

import inspect
from collections.abc import Iterable
from dataclasses import dataclass, fields
from itertools import pairwise
from typing import dataclass_transform

SECTIONS = ("Parameters", "Attributes")


@dataclass_transform(eq_default=False, kw_only_default=True)
def variant(cls: type) -> type:
    """Make a dataclass of an estimator, and complete its docstring from those it inherits from.

    Parameters
    ----------
    cls : type
        Its docstring holds the parameters and attributes that are its own, or that mean something
        else than in its bases.

    Returns
    -------
    cls : type
        The same class.
    """
    cls = dataclass(eq=False, repr=False, kw_only=True)(cls)
    if cls.__doc__ is None:  # python -OO
        return cls
    doc = inspect.getdoc(cls) or ""
    for section in reversed(SECTIONS):  # what is new is put in front
        entries: dict[str, str] = {}
        for base in reversed(cls.__mro__[1:]):
            entries |= entries_of(base.__dict__.get("__doc__") or "", section)
        own = entries_of(doc, section)
        if section == "Parameters":
            names: Iterable[str] = (field.name for field in fields(cls))
        else:
            names = [*entries, *(name for name in own if name not in entries)]
        texts = [(entries | own)[name] for name in names if name in entries | own]
        doc = with_section(doc, section, "\n".join(dict.fromkeys(texts)))
    cls.__doc__ = doc
    return cls


def bounds_of(doc: str, section: str) -> tuple[list[str], int, int]:
    """A docstring's lines, and the first and the last but one line of a section's entries."""
    lines = inspect.cleandoc(doc).splitlines()
    rules = [i for i, line in enumerate(lines) if line and set(line) == {"-"}]
    for rule, following in pairwise([*rules, len(lines) + 1]):
        if lines[rule - 1] == section:
            return lines, rule + 1, following - 1
    first = rules[0] - 1 if rules else len(lines)
    return lines, first, first


def entries_of(doc: str, section: str) -> dict[str, str]:
    """The entries of a section of a docstring, by name; names that share one have the same."""
    lines, start, stop = bounds_of(doc, section)
    entries: dict[str, str] = {}
    names: list[str] = []
    for line in lines[start:stop]:
        if line and not line[0].isspace():
            names = line.partition(" : ")[0].split(", ")
            entries |= dict.fromkeys(names, line)
        elif line:
            entries |= {name: f"{entries[name]}\n{line}" for name in names}
    return entries


def with_section(doc: str, section: str, text: str) -> str:
    """A docstring with the entries of a section replaced, or put in front of the others."""
    lines, start, stop = bounds_of(doc, section)
    header = [] if start != stop else [section, "-" * len(section)]
    return "\n".join([*lines[:start], *header, *text.splitlines(), "", *lines[stop:]])
