"""Matrices and column vectors written as sums, multiples, products and powers, and determinants between bars."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from s1_tasks.answers.tree.nodes import (
    Matrix,
    Node,
    Number,
    Power,
    Product,
    Quantity,
    Sequence,
    Sum,
    Unreadable,
    integer,
)

MAX_DETERMINANT = 4
MAX_POWER = 8
MAX_FACTOR_SIZE = 6
"""Rows and columns of a factor: a product of products is written out, so its size multiplies."""

Rows = list[list[Node]]


def holds_matrix(node: Node) -> bool:
    """Whether a node is a matrix, or a sum, product or power with one as a term, factor or base."""
    if isinstance(node, Sum):
        return any(holds_matrix(term) for term in node.terms)
    if isinstance(node, Product):
        return any(holds_matrix(factor) for factor in node.factors)
    if isinstance(node, Power):
        return holds_matrix(node.base)
    return isinstance(node, Matrix)


def combined_rows(node: Node) -> Rows | None:
    """The rows of a matrix, or of sums, multiples, products and small powers of matrices; None for anything else."""
    if isinstance(node, Matrix):
        return [list(row) for row in node.rows]
    combine = _COMBINED.get(type(node))
    return None if combine is None else combine(node)


def _rows_of_product(node: Product) -> Rows | None:
    matrices = [factor for factor in node.factors if holds_matrix(factor)]
    scale = tuple(factor for factor in node.factors if not holds_matrix(factor))
    if any(isinstance(factor, Sequence | Quantity) for factor in scale):
        return None
    rows = _multiply([combined_rows(matrix) for matrix in matrices])
    return None if rows is None else [[Product((*scale, cell)) for cell in row] for row in rows]


def _rows_of_power(node: Power) -> Rows | None:
    exponent = node.exponent
    if not isinstance(exponent, Number) or exponent.value not in range(1, MAX_POWER + 1):
        return None
    return _multiply([combined_rows(node.base)] * int(exponent.value))


def _rows_of_sum(node: Sum) -> Rows | None:
    tables = [combined_rows(term) for term in node.terms]
    read = [table for table in tables if table is not None]
    if len(read) != len(tables) or len({tuple(map(len, table)) for table in read}) != 1:
        return None
    return [[Sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*read, strict=True)]


_COMBINED: dict[type, Callable[[Any], Rows | None]] = {
    Product: _rows_of_product,
    Power: _rows_of_power,
    Sum: _rows_of_sum,
}


def _multiply(tables: list[Rows | None]) -> Rows | None:
    """The product from left to right; None when a factor is unknown or too large, or the sizes do not fit."""
    product, *factors = tables
    for table in factors:
        if product is None or table is None or not _fit(product, table):
            return None
        columns = list(zip(*table, strict=True))
        product = [
            [Sum(tuple(Product((a, b)) for a, b in zip(row, column, strict=True))) for column in columns]
            for row in product
        ]
    return product


def _fit(left: Rows, right: Rows) -> bool:
    """Whether two tables, neither too large, can be multiplied."""
    if max(len(left), len(right), len(right[0])) > MAX_FACTOR_SIZE:
        return False
    return all(len(row) == len(right) for row in left) and len({len(row) for row in right}) == 1


def determinant(rows: tuple[tuple[Node, ...], ...]) -> Node:
    """The determinant, expanded along the first row; raises Unreadable unless square and small."""
    if len(rows) > MAX_DETERMINANT or any(len(row) != len(rows) for row in rows):
        raise Unreadable(f"a determinant that is not square or has more than {MAX_DETERMINANT} rows")
    if len(rows) == 1:
        return rows[0][0]
    return Sum(
        tuple(
            Product(
                (
                    integer((-1) ** column),
                    cell,
                    determinant(tuple(row[:column] + row[column + 1 :] for row in rows[1:])),
                )
            )
            for column, cell in enumerate(rows[0])
        )
    )
