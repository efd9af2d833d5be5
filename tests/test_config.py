import pytest

from reenact.config import Settings
from reenact.errors import SettingsError


class Inner(Settings):
    learning_rate: float = 1e-3
    names: tuple[str, ...] = ()


class Outer(Settings):
    samples: int = 10
    inner: Inner = Inner()


def test_unknown_key_names_the_nearest_known_one():
    with pytest.raises(SettingsError, match=r'train\.sampels: unknown setting; did you mean "samples"'):
        Outer.parse({"sampels": 3}, where="train")


def test_unknown_key_in_a_nested_block_names_the_nearest_key_of_that_block():
    with pytest.raises(SettingsError, match=r'train\.inner\.learn_rate.*"learning_rate"'):
        Outer.parse({"inner": {"learn_rate": 1.0}}, where="train")


def test_unknown_key_like_nothing_lists_what_is_known():
    with pytest.raises(SettingsError, match="known: inner, samples"):
        Outer.parse({"zzzz": 3}, where="train")


@pytest.mark.parametrize("wrong", ["3", 3.5, None, [3]])
def test_text_and_fractions_are_not_taken_for_whole_numbers(wrong):
    with pytest.raises(SettingsError, match=r"train\.samples"):
        Outer.parse({"samples": wrong}, where="train")


def test_every_mistake_is_listed():
    with pytest.raises(SettingsError) as caught:
        Outer.parse({"samples": "a", "inner": {"names": 3}, "x": 1}, where="train")
    assert len(str(caught.value).splitlines()) == 3


def test_yaml_lists_become_tuples_and_settings_are_frozen():
    outer = Outer.parse({"inner": {"names": ["a", "b"], "learning_rate": 1}}, where="train")
    assert outer.inner.names == ("a", "b")
    assert outer.inner.learning_rate == 1.0
    with pytest.raises(ValueError, match="frozen"):
        outer.samples = 4


def test_plain_round_trip():
    outer = Outer(inner=Inner(names=("a",)))
    assert Outer.parse(outer.plain(), where="x") == outer


def test_a_missing_key_is_said_without_repeating_the_whole_block():
    class Needed(Settings):
        source: str

    with pytest.raises(SettingsError) as caught:
        Needed.parse({"other": "x" * 50}, where="faces.yaml")
    assert "faces.yaml.source: Field required" in str(caught.value)
    assert "xxx" not in str(caught.value)
