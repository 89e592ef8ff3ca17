"""Long messages say what short ones do, and no more than a device can have to say."""

import pytest

from powerlog.core.protocol import LONG, parse
from tests.support.frames import STATUS, T0, delta, full


@pytest.mark.parametrize("kind", ["switch", "em"])
def test_of_thousands_of_components_the_first_ones_are_read(kind: str) -> None:
    name = "a_act_power" if kind == "em" else "apower"
    many = {f"{kind}_{number}": {name: 1.0} for number in range(3000)}
    rubbish = {f"script_{number}": {"apower": 1.0} for number in range(500)}
    readings = parse(delta(T0, **rubbish, **many)).readings
    assert len(readings) == 128
    assert len(parse(delta(T0, **rubbish, **dict(list(many.items())[:64]))).readings) == 64


@pytest.mark.parametrize("length", [LONG - 1, LONG, 60_000])
@pytest.mark.parametrize("model", STATUS)
def test_a_long_text_says_what_a_short_one_does(model: str, length: int) -> None:
    components = {key.replace(":", "_"): part for key, part in STATUS[model].items()}
    assert parse(delta(T0, **components).ljust(length)) == parse(delta(T0, **components))
    assert parse(full(T0, **components).ljust(length)) == parse(full(T0, **components))
