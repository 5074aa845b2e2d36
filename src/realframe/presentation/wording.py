"""A verdict in the words of somebody who has never heard of a classifier. It is a judgement, and is never told as a fact."""

from realframe.store.detection_documents import Detection, Moment

_HEADLINES = {
    "ai-generated": "Looks AI-generated",
    "real": "Looks real",
    "uncertain": "Can't tell",
    "not scored": "Could not be checked",
}
_PERCENT = "\N{NO-BREAK SPACE}%"
_NOTHING_STATED = 1.0  # the error of a band of which nothing can be stated


def headline(detection: Detection) -> str:
    """Return the verdict in a few words."""
    return _HEADLINES[detection.verdict]


def meaning(detection: Detection) -> list[str]:
    """Return what the verdict means, a sentence each: the probability, how often such a verdict is wrong, and where it comes from."""
    if detection.probability is None:
        return [f"{detection.message} It was not scored, which says nothing of whether it is real."]
    sentences = [_probability(detection, detection.probability), _error(detection)]
    if detection.moments:
        sentences.append(_where(detection, detection.moments[0]))
    return sentences


def limits(detection: Detection) -> list[str]:
    """Return what the detector can't judge, a sentence each."""
    if detection.facts is None:
        return []
    kind = detection.facts.kind
    general = [
        f"This is what a program makes of the pictures, not proof. It can't say who made the {kind}, how, or why.",
        f"It was trained on whole images and videos, each real or AI-generated throughout. A real {kind} of which only a part was "
        "replaced, retouched or edited may look real to it.",
        "A generator that it was not trained on may go unnoticed, and unusual real pictures may be taken for AI-generated. The share of "
        "wrong verdicts that is stated holds for files like those that it was trained and tested on.",
    ]
    return general if kind == "image" else [*general[:1], _looked_at(detection), *general[1:]]


def percent(share: float) -> str:
    """Return a probability as people say it; what is not certain is never rounded to certainty."""
    if share < 0.01:
        return f"less than 1{_PERCENT}"
    return f"more than 99{_PERCENT}" if share > 0.99 else f"{100 * share:.0f}{_PERCENT}"


def clock(seconds: float) -> str:
    """Return a place in a video, such as ``0:07`` or ``1:02:03``."""
    minutes, rest = divmod(int(seconds), 60)
    hours, minutes = divmod(minutes, 60)
    return f"{hours}:{minutes:02}:{rest:02}" if hours else f"{minutes}:{rest:02}"


def when(moment: Moment) -> str:
    """Return when a moment is, such as ``from 0:03 to 0:07`` or ``at 0:03``."""
    starts, ends = clock(moment.start_s), clock(moment.end_s)
    return f"at {starts}" if starts == ends else f"from {starts} to {ends}"


def between(detection: Detection) -> str:
    """Return the interval of the probability in words; nothing where there is none."""
    if detection.interval is None:
        return ""
    low, high = percent(detection.interval.low), percent(detection.interval.high)
    return low if low == high else f"{low} to {high}"


def _probability(detection: Detection, probability: float) -> str:
    kind = detection.facts.kind if detection.facts else "file"
    interval = f" (95{_PERCENT} interval: {between(detection)})" if detection.interval else ""
    return f"The detector puts the probability that this {kind} is AI-generated at {percent(probability)}{interval}."


def _error(detection: Detection) -> str:
    error, verdict = detection.band.error, detection.verdict
    if verdict == "uncertain":
        if error >= _NOTHING_STATED:
            return "There were too few files to test it on for any verdict to be given."
        return "That is neither low nor high enough for a verdict: of the files that it was tested on, too many of either kind lie there."
    files, called = ("real", "AI-generated") if verdict == "ai-generated" else ("AI-generated", "real")
    return f"Of {files} files like those that it was tested on, on average at most {percent(error)} are called {called} by mistake."


def _where(detection: Detection, moment: Moment) -> str:
    if (moment.start_s, moment.end_s) == (detection.frames[0].time_s, detection.frames[-1].time_s):
        return "No stretch of it stands out: all of it looks suspicious."
    return f"Its most suspicious moment is {when(moment)}."


def _looked_at(detection: Detection) -> str:
    total = detection.facts.frames if detection.facts else 0
    looked = f"It looked at {detection.looked_at:,} of {total:,} frames"
    return f"{looked} and did not listen: AI-generated sound or a cloned voice it can't notice."
