"""Matrices and column vectors written as sums and multiples, and determinants between bars."""

from __future__ import annotations

from s1_tasks.answers.nodes import Matrix, Node, Product, Quantity, Sequence, Sum, Unreadable, integer

MAX_DETERMINANT = 4

Rows = list[list[Node]]


def holds_matrix(node: Node) -> bool:
    """Whether a node is a matrix, or a sum or product with one as a term or factor."""
    if isinstance(node, Sum):
        return any(holds_matrix(term) for term in node.terms)
    if isinstance(node, Product):
        return any(holds_matrix(factor) for factor in node.factors)
    return isinstance(node, Matrix)


def combined_rows(node: Node) -> Rows | None:
    """The rows of a matrix, a multiple of one, or a sum of those; None for anything else (products of matrices)."""
    if isinstance(node, Matrix):
        return [list(row) for row in node.rows]
    if isinstance(node, Product):
        matrices = [factor for factor in node.factors if holds_matrix(factor)]
        scale = tuple(factor for factor in node.factors if not holds_matrix(factor))
        if len(matrices) != 1 or any(isinstance(factor, Sequence | Quantity) for factor in scale):
            return None
        rows = combined_rows(matrices[0])
        return None if rows is None else [[Product((*scale, cell)) for cell in row] for row in rows]
    if isinstance(node, Sum):
        tables = [combined_rows(term) for term in node.terms]
        read = [table for table in tables if table is not None]
        if len(read) != len(tables) or len({tuple(map(len, table)) for table in read}) != 1:
            return None
        return [[Sum(cells) for cells in zip(*rows, strict=True)] for rows in zip(*read, strict=True)]
    return None


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
