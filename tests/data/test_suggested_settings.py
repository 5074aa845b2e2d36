"""Suggested settings: each revealing fact has a parameter that removes it; parameters that are set already are not suggested."""

import pytest

from realframe.config import HarmonizeParams
from realframe.data.shortcut_audit import find_predictive_facts, suggest_match, suggest_settings
from tests.data.dataset_rows import make_item, make_table

NONE = {"crop": {"image": 0, "video": 0}, "seconds": 0, "reencode": False, "crf": 23, "jpeg_quality": 90, "fps": 0, "match": []}
ITEMS = make_table(
    [make_item(n, ("real", "fake")[n % 2], width=300 + n, height=201 + n, fps=12.5 + n, duration_s=2.345 + n) for n in range(40)]
)


@pytest.mark.parametrize(
    ("fact", "settings"),
    [
        ("pixels", {"harmonize.crop.video": "202"}),
        ("duration_s", {"harmonize.seconds": "3.3"}),
        ("fps", {"harmonize.fps": "13", "harmonize.reencode": "true"}),
        ("frames", {"harmonize.seconds": "3.3", "harmonize.fps": "13", "harmonize.reencode": "true"}),
        ("metadata", {"harmonize.reencode": "true"}),
        ("quantization", {"harmonize.reencode": "true"}),
    ],
)
def test_the_settings_fit_the_fact(fact: str, settings: dict[str, str]) -> None:
    assert suggest_settings([fact], "video", ITEMS, HarmonizeParams.model_validate(NONE)) == settings


def test_current_settings_are_not_suggested() -> None:
    current = HarmonizeParams.model_validate(
        NONE | {"crop": {"image": 0, "video": 100}, "seconds": 1, "reencode": True, "fps": 5, "match": ["pixels"]}
    )
    facts = ["pixels", "frames", "fps", "codec", "bytes"]
    assert suggest_settings(facts, "video", ITEMS, current) == {}
    assert suggest_settings(facts, "image", ITEMS, current) == {"harmonize.crop.image": "202"}
    assert suggest_match(facts, current) == "[pixels,duration_s]"
    assert suggest_match(["codec", "aspect"], current) == ""


def test_the_first_three_facts_and_all_above_the_limit_are_found() -> None:
    facts = {"a": 0.9, "b": 0.8, "c": 0.75, "d": 0.72, "e": 0.6}
    assert find_predictive_facts(facts, 0.7) == ["a", "b", "c", "d"]
    assert find_predictive_facts(facts, 0.85) == ["a", "b", "c"]
