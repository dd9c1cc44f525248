"""docs/model-families.md holds the table that the code makes of TRL's chat templates."""

import pytest

from benchmarks import family_table


def test_the_table_in_the_document_is_what_the_code_does() -> None:
    if not family_table.templates().keys() > family_table.FAMILIES.keys():
        pytest.skip("this TRL does not ship all of the chat templates of the table")
    assert family_table.DOCUMENT.read_text() == family_table.document_with(family_table.table()), (
        "run python benchmarks/family_table.py"
    )


def test_every_named_format_stands_in_the_document() -> None:
    from s1_models.formats import FORMATS

    text = family_table.DOCUMENT.read_text()
    assert all(f"`{name}`" in text for name in (*FORMATS, "none"))
