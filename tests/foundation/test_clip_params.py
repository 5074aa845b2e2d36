"""Test the parameters of clip heads and of SMOTE: errors name the contradicting keys and the allowed values."""

from pathlib import Path
from typing import get_args

import pytest

from realframe.config import HeadKind, Params, list_recipes, resolve_params
from realframe.errors import ParamsError

CLIPS = ("efficientnetb3-lstm", "efficientnetv2b0-bilstm", "inceptionv3-rnn", "lstm", "mobilenetv2-rnn")
KINDS = tuple(kind for kind in get_args(HeadKind) if kind != "gap")


def resolve(root: Path, recipe: str, **overrides: object) -> Params:
    dotted = {key.replace("__", "."): value for key, value in overrides.items()}
    return resolve_params(root / "params.yaml", root / "recipes", recipe=recipe, overrides=dotted).params


def resolve_error(root: Path, recipe: str, **overrides: object) -> str:
    with pytest.raises(ParamsError) as caught:
        resolve(root, recipe, **overrides)
    return str(caught.value)


def test_only_the_clip_recipes_score_clips(root: Path) -> None:
    sequential = {recipe for recipe in list_recipes(root / "recipes") if resolve(root, recipe).train.head.scores_clips}
    assert sequential == set(CLIPS)


@pytest.mark.parametrize("kind", KINDS)
def test_every_kind_of_head_can_be_chosen(kind: str, root: Path) -> None:
    head = resolve(root, "lstm", train__head__kind=kind).train.head
    assert (head.kind, head.scores_clips) == (kind, True)


@pytest.mark.parametrize("kinds", [["image", "video"], ["image"]])
def test_a_clip_head_takes_videos_only(kinds: list[str], root: Path) -> None:
    message_part = resolve_error(root, "lstm", balance__kinds=kinds)
    assert f"train.head.kind lstm scores videos; set balance.kinds to [video] (given: {kinds})" in message_part
    assert resolve(root, "efficientnetb0", balance__kinds=kinds).balance.kinds == tuple(kinds)


@pytest.mark.parametrize(
    ("recipe", "overrides", "message_part"),
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
def test_a_clip_longer_than_the_sampled_frames_is_refused(recipe: str, overrides: dict[str, object], message_part: str, root: Path) -> None:
    message = resolve_error(root, recipe, **overrides)
    assert f"{message_part}; lower train.head.length or raise extract." in message


def test_a_clip_as_long_as_the_sampled_frames_is_allowed(root: Path) -> None:
    assert resolve(root, "lstm", extract__sampling={"uniform": 40}, train__head__length=40).train.head.length == 40
    assert resolve(root, "mobilenetv2-rnn", train__head__length=256).train.head.length == 256
    assert resolve(root, "efficientnetb0", extract__max_frames=8).train.head.length == 64  # a head of frames does not use it


@pytest.mark.parametrize("length", [0, 1025])
def test_the_length_has_bounds(length: int, root: Path) -> None:
    message_part = resolve_error(root, "lstm", train__head__length=length)
    assert message_part.startswith("train.head.length: ")
    assert f"(given: {length})" in message_part
    assert ("greater than or equal to 1" if length < 1 else "less than or equal to 1024") in message_part


def test_a_clip_head_has_no_second_phase(root: Path) -> None:
    message_part = resolve_error(root, "lstm", train__phase2__unfreeze_last=5)
    assert "head.kind lstm has no second phase; set phase2.unfreeze_last to 0" in message_part


def test_a_clip_head_needs_a_frozen_backbone(root: Path) -> None:
    message_part = resolve_error(root, "lstm", train__phase1__frozen=False, train__activations__cache=False)
    assert "head.kind lstm learns from the features of a frozen backbone; set phase1.frozen to true" in message_part


def test_smote_needs_a_frozen_backbone(root: Path) -> None:
    message_part = resolve_error(root, "scratch", balance__method="smote")
    assert (
        "balance.method smote interpolates features of a frozen backbone, and train.phase1.frozen is false; set train.phase1.frozen to true"
        in message_part
    )
    for recipe in ("efficientnetb0", "lstm"):
        assert resolve(root, recipe, balance__method="smote").balance.method == "smote"


def test_an_unknown_head_or_method_lists_the_known(root: Path) -> None:
    message_part = resolve_error(root, "lstm", train__head__kind="rnn")
    assert message_part.startswith("train.head.kind: ")
    assert "(given: 'rnn')" in message_part
    assert all(f"'{kind}'" in message_part for kind in ("gap", *KINDS))

    message_part = resolve_error(root, "lstm", balance__method="adasyn")
    assert message_part.startswith("balance.method: ")
    assert "(given: 'adasyn')" in message_part
    assert all(f"'{method}'" in message_part for method in ("undersample", "oversample", "class_weights", "smote", "none"))


@pytest.mark.parametrize("key", ["train.head.lenght", "train.heads", "balance.smote"])
def test_an_unknown_key_is_named_with_its_value(key: str, root: Path) -> None:
    message_part = resolve_error(root, "lstm", **{key: 3})
    assert message_part.startswith(f"{key}: ")
    assert "not permitted (given: 3)" in message_part
