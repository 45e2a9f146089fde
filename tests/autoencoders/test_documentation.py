"""Docstrings are completed from those of the bases."""

from dataclasses import dataclass

from skae.autoencoders._documentation import entries_of, variant


@dataclass(kw_only=True)
class Base:
    """What all share.

    Parameters
    ----------
    a, b : int
        Two numbers.
    c : int
        A third,
        over two lines.

    Attributes
    ----------
    d_ : float
        Found.
    """

    a: int = 1
    b: int = 2
    c: int = 3


def test_own_entries_stand_in_the_order_of_the_signature():
    @variant
    class Variant(Base):
        """A variant.

        Parameters
        ----------
        e : int
            New.
        c : str
            Something else.

        Attributes
        ----------
        f_ : int
            More.

        See Also
        --------
        Base : Simpler.
        """

        e: int = 5

    assert Variant.__doc__.splitlines() == [
        "A variant.",
        "",
        "Parameters",
        "----------",
        "a, b : int",
        "    Two numbers.",
        "c : str",
        "    Something else.",
        "e : int",
        "    New.",
        "",
        "Attributes",
        "----------",
        "d_ : float",
        "    Found.",
        "f_ : int",
        "    More.",
        "",
        "See Also",
        "--------",
        "Base : Simpler.",
    ]


def test_sections_that_are_missing_are_put_before_the_others():
    @variant
    class Variant(Base):
        """A variant.

        Notes
        -----
        None.
        """

    assert list(entries_of(Variant.__doc__, "Parameters")) == ["a", "b", "c"]
    assert Variant.__doc__.index("Parameters") < Variant.__doc__.index("Attributes")
    assert Variant.__doc__.index("Attributes") < Variant.__doc__.index("Notes")


def test_a_variant_takes_keywords_and_compares_by_identity():
    @variant
    class Variant(Base):
        """A variant."""

        e: int = 5

    assert Variant(e=6).e == 6
    assert "__eq__" not in vars(Variant) and "__repr__" not in vars(Variant)
