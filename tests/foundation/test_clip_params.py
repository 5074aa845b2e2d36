"""Which recipes for clips and for SMOTE can be used; a mistake names what contradicts what, and what is allowed."""

from pathlib import Path
from typing import get_args

import pytest

from realframe.config import HeadKind, Params, recipe_names, resolve_params
from realframe.errors import ParamsError

CLIPS = ("efficientnetb3-lstm", "efficientnetv2b0-bilstm", "inceptionv3-rnn", "lstm", "mobilenetv2-rnn")
KINDS = tuple(kind for kind in get_args(HeadKind) if kind != "gap")


def resolved(root: Path, recipe: str, **overrides: object) -> Params:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve_params(root / "params.yaml", root / "recipes", recipe=recipe, overrides=dotted).params


def refused(root: Path, recipe: str, **overrides: object) -> str:
    with pytest.raises(ParamsError) as caught:
        resolved(root, recipe, **overrides)
    return str(caught.value)


def test_the_recipes_for_clips_score_clips_and_all_others_frames(root: Path) -> None:
    sequential = {recipe for recipe in recipe_names(root / "recipes") if resolved(root, recipe).train.head.scores_clips}
    assert sequential == set(CLIPS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_head_can_be_chosen(kind: str, root: Path) -> None:
    head = resolved(root, "lstm", train__head__kind=kind).train.head
    assert (head.kind, head.scores_clips) == (kind, True)


@pytest.mark.parametrize("kinds", [["image", "video"], ["image"]])
def test_a_clip_head_takes_videos_only(kinds: list[str], root: Path) -> None:
    said = refused(root, "lstm", balance__kinds=kinds)
    assert f"train.head.kind lstm scores videos; set balance.kinds to [video] (given: {kinds})" in said
    assert resolved(root, "efficientnetb0", balance__kinds=kinds).balance.kinds == tuple(kinds)


@pytest.mark.parametrize(
    ("recipe", "overrides", "said"),
    [
        ("lstm", {"train.head.length": 33}, "train.head.length 33 is more frames than extract.sampling.uniform 32 gives"),
        ("mobilenetv2-rnn", {"train.head.length": 257}, "train.head.length 257 is more frames than extract.max_frames 256 gives"),
        (
            "efficientnetv2b0-bilstm",
            {"extract.max_frames": 256},
            "train.head.length 300 is more frames than extract.max_frames 256 gives",
        ),
    ],
)
def test_a_sequence_is_no_longer_than_what_is_sampled(recipe: str, overrides: dict[str, object], said: str, root: Path) -> None:
    message = refused(root, recipe, **overrides)
    assert f"{said}; lower the one or raise the other" in message


def test_a_sequence_as_long_as_what_is_sampled_is_allowed(root: Path) -> None:
    assert resolved(root, "lstm", extract__sampling={"uniform": 40}, train__head__length=40).train.head.length == 40
    assert resolved(root, "mobilenetv2-rnn", train__head__length=256).train.head.length == 256
    assert resolved(root, "efficientnetb0", extract__max_frames=8).train.head.length == 64  # a head of frames does not use it


@pytest.mark.parametrize("length", [0, 1025])
def test_the_length_has_bounds(length: int, root: Path) -> None:
    said = refused(root, "lstm", train__head__length=length)
    assert said.startswith("train.head.length: ")
    assert f"(given: {length})" in said
    assert ("greater than or equal to 1" if length < 1 else "less than or equal to 1024") in said


def test_a_clip_head_has_no_second_phase(root: Path) -> None:
    said = refused(root, "lstm", train__phase2__unfreeze_last=5)
    assert "head.kind lstm has no second phase; set phase2.unfreeze_last to 0" in said


def test_a_clip_head_stands_on_a_frozen_backbone(root: Path) -> None:
    said = refused(root, "lstm", train__phase1__frozen=False, train__activations__cache=False)
    assert "head.kind lstm learns from the features of a frozen backbone; set phase1.frozen to true" in said


def test_smote_needs_a_frozen_backbone(root: Path) -> None:
    said = refused(root, "scratch", balance__method="smote")
    assert "balance.method smote interpolates features of a frozen backbone, and train.phase1.frozen is false" in said
    for recipe in ("efficientnetb0", "lstm"):
        assert resolved(root, recipe, balance__method="smote").balance.method == "smote"


def test_a_head_or_a_method_that_does_not_exist_lists_those_that_do(root: Path) -> None:
    said = refused(root, "lstm", train__head__kind="rnn")
    assert said.startswith("train.head.kind: ")
    assert "(given: 'rnn')" in said
    assert all(f"'{kind}'" in said for kind in ("gap", *KINDS))

    said = refused(root, "lstm", balance__method="adasyn")
    assert said.startswith("balance.method: ")
    assert "(given: 'adasyn')" in said
    assert all(f"'{method}'" in said for method in ("undersample", "oversample", "class_weights", "smote", "none"))


@pytest.mark.parametrize("key", ["train.head.lenght", "train.heads", "balance.smote"])
def test_an_unknown_key_is_named_with_its_value(key: str, root: Path) -> None:
    said = refused(root, "lstm", **{key: 3})
    assert said.startswith(f"{key}: ")
    assert "not permitted (given: 3)" in said
