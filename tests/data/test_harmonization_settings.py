"""Each fact that leaks is answered by the parameter that takes it away; what is set already is not offered again."""

import pytest
from dataset_rows import item, table

from realframe.config import Harmonization
from realframe.data.shortcut_audit import revealing_facts, suggested_match, suggested_settings

NONE = {"crop": {"image": 0, "video": 0}, "seconds": 0, "reencode": False, "crf": 23, "jpeg_quality": 90, "fps": 0, "match": []}
ITEMS = table(
    [item(at, ("real", "fake")[at % 2], width=300 + at, height=201 + at, fps=12.5 + at, duration_s=2.345 + at) for at in range(40)]
)


@pytest.mark.parametrize(
    ("fact", "offered"),
    [
        ("pixels", {"harmonize.crop.video": "202"}),
        ("duration_s", {"harmonize.seconds": "3.3"}),
        ("fps", {"harmonize.fps": "13", "harmonize.reencode": "true"}),
        ("frames", {"harmonize.seconds": "3.3", "harmonize.fps": "13", "harmonize.reencode": "true"}),
        ("metadata", {"harmonize.reencode": "true"}),
        ("quantisation", {"harmonize.reencode": "true"}),
    ],
)
def test_the_cure_fits_the_fact(fact: str, offered: dict[str, str]) -> None:
    assert suggested_settings([fact], "video", ITEMS, Harmonization.model_validate(NONE)) == offered


def test_what_is_set_is_not_offered_again() -> None:
    done = Harmonization.model_validate(
        NONE | {"crop": {"image": 0, "video": 100}, "seconds": 1, "reencode": True, "fps": 5, "match": ["pixels"]}
    )
    facts = ["pixels", "frames", "fps", "codec", "bytes"]
    assert suggested_settings(facts, "video", ITEMS, done) == {}
    assert suggested_settings(facts, "image", ITEMS, done) == {"harmonize.crop.image": "202"}
    assert suggested_match(facts, done) == "[pixels,duration_s]"
    assert suggested_match(["codec", "aspect"], done) == ""


def test_three_are_named_and_all_above_the_limit() -> None:
    facts = {"a": 0.9, "b": 0.8, "c": 0.75, "d": 0.72, "e": 0.6}
    assert revealing_facts(facts, 0.7) == ["a", "b", "c", "d"]
    assert revealing_facts(facts, 0.85) == ["a", "b", "c"]
