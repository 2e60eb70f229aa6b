"""Which texts run together: those of one padded length, so that none depends on its neighbours."""

from collections.abc import Iterator, Sequence

MULTIPLE = 16
"""Lengths are padded to a multiple of this: every new shape costs a compiled kernel."""


def padded(length: int) -> int:
    """``length`` rounded up to a multiple of ``MULTIPLE``."""
    return length + -length % MULTIPLE


def batches(lengths: Sequence[int], pieces: int) -> Iterator[list[int]]:
    """Numbers of the texts of each batch, given the lengths of all texts in pieces.

    All members of a batch have the same padded length, which therefore depends on the text alone;
    a batch has at most ``pieces`` pieces, padding included, but at least one text.
    """
    batch: list[int] = []
    width = 0
    for number in sorted(range(len(lengths)), key=lambda number: lengths[number]):
        own = padded(lengths[number])
        if batch and (own != width or (len(batch) + 1) * own > pieces):
            yield batch
            batch = []
        width = own
        batch.append(number)
    if batch:
        yield batch
