"""The cells of a row, in one go."""

from powerlog.templatetags.cells import cells


def test_every_text_is_a_cell_and_none_is_markup() -> None:
    assert cells(["5 h", "<b>&", ""]) == "<td>5 h</td><td>&lt;b&gt;&amp;</td><td></td>"
