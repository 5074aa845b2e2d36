"""Anchor the ledger outside its store: the head after each entry is a commit on the git ref ``refs/realframe/ledger``.

The head is ``<sequence> <hash>``; the commit's message begins with it, and its tree holds the entry. The ref belongs to the project's
repository; the work tree, the index and the branches are not touched. Where ``REALFRAME_GIT_REMOTE`` is set, the ref is pushed there, never
by force. Two machines that anchor at the same time are merged: a commit with two parents, so that no head is lost.

``refs/realframe/ledger-pushed`` remembers what the remote has confirmed. A remote whose ref does not contain it was rewritten.
"""

import os
import re
import subprocess
from collections.abc import Callable
from dataclasses import dataclass

from realframe.errors import RunError, SetupError
from realframe.registry import dagshub
from realframe.runs.git_dvc import NETWORK_COMMANDS
from realframe.settings import Settings
from realframe.store.user_documents import LedgerEntry

REF = "refs/realframe/ledger"
_PUSHED = "refs/realframe/ledger-pushed"
_FETCHED = "refs/realframe/ledger-fetched"
_SUBJECT = re.compile(r"ledger (?P<head>[1-9][0-9]* [0-9a-f]{64})")
_ATTEMPTS = 5
_LOCAL_TIMEOUT_S, _NETWORK_TIMEOUT_S = 10.0, 20.0
_IDENTITY = ("-c", "user.name=realframe", "-c", "user.email=realframe@localhost")  # a commit needs one, and the user may not have set it
_NO_COMMIT = "0" * 40
_REPOSITORY_VARIABLES = ("GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR")  # a git hook sets them, for its own repository


@dataclass(frozen=True)
class AnchoredHeads:
    """The heads that are anchored.

    Attributes:
        heads: of this repository and, after ``fetch_remote``, of the remote: ``<sequence> <hash>``.
        unavailable: why this repository cannot hold anchors, as a sentence; empty if it can.
    """

    heads: frozenset[str]
    unavailable: str = ""


@dataclass(frozen=True)
class RemoteAnchors:
    """The state of the remote's ref.

    Attributes:
        problem: how the remote contradicts this repository, as a sentence; empty if it does not. It is an alarm.
        note: why the remote could not be compared, or that it is behind, as a sentence; empty if it was compared and is up to date.
        commit: of the remote's ref; empty if it has none or was not reached.
        is_reached: the remote answered.
        lost: the commit that the remote had confirmed and that is missing; empty without a problem.
    """

    problem: str = ""
    note: str = ""
    commit: str = ""
    is_reached: bool = True
    lost: str = ""


def read_heads(settings: Settings) -> AnchoredHeads:
    """Return the heads that are anchored in this repository, with those of the remote as it was fetched last."""
    try:
        refs = _git(settings, "for-each-ref", "--format=%(refname)", REF, _PUSHED, _FETCHED).splitlines()
        subjects = _git(settings, "log", "--format=%s", *refs, "--").splitlines() if refs else []
    except RunError as error:
        return AnchoredHeads(frozenset(), f"The ledger is not anchored: {error.reason}.")
    return AnchoredHeads(frozenset(match["head"] for subject in subjects if (match := _SUBJECT.fullmatch(subject))))


def write_anchor(entry: LedgerEntry, settings: Settings) -> None:
    """Commit the head after ``entry``, unless it is anchored already. Raises RunError if git cannot be used."""
    head = f"{entry.sequence} {entry.hash}"
    if head in read_heads(settings).heads:
        return
    blob = _git(settings, "hash-object", "-w", "--stdin", stdin=entry.model_dump_json(indent=1))
    tree = _git(settings, "mktree", stdin=f"100644 blob {blob}\tentry.json\n")
    message = f"ledger {head}\n\n{entry.action}, version {entry.version}, {entry.created}\n"
    _advance(settings, lambda tip: _commit(settings, tree, message, [tip] if tip else []))


def publish(settings: Settings, *, accept_rewritten: bool = False) -> str:
    """Push the anchors to the git remote, merged with those that it has; return what failed as a sentence, or an empty string.

    Call it without a lock: it uses the network. Without a remote, or without anchors, it does nothing.

    Args:
        settings: of this checkout.
        accept_rewritten: push also to a remote that has lost anchors, after a person has settled that alarm.
    """
    try:
        if not settings.git_remote or not _resolve(settings, REF):
            return ""
        for attempt in range(_ATTEMPTS):
            remote = compare_remote(settings)
            if not remote.is_reached:
                return remote.note
            if remote.problem and not accept_rewritten:
                return remote.problem
            if remote.commit:
                _merge(settings, remote.commit)
            tip = _resolve(settings, REF)
            try:
                _git(settings, "push", "--quiet", "--no-verify", settings.git_remote, f"{tip}:{REF}", timeout_s=_NETWORK_TIMEOUT_S)
            except RunError:
                if attempt == _ATTEMPTS - 1:
                    raise
                continue  # another machine may have pushed since the comparison
            _git(settings, "update-ref", _PUSHED, tip)
            break
    except RunError as error:
        return f"The anchors of the ledger were not pushed to {settings.git_remote}: {error.reason}."
    return ""


def compare_remote(settings: Settings) -> RemoteAnchors:
    """Fetch the remote's anchors and compare them with what it had confirmed. Raises RunError if there is no git repository."""
    if not settings.git_remote:
        return RemoteAnchors()
    pushed, local = _resolve(settings, _PUSHED), _resolve(settings, REF)
    try:
        listed = _git(settings, "ls-remote", settings.git_remote, REF, timeout_s=_NETWORK_TIMEOUT_S)
        if not listed and pushed:
            return RemoteAnchors(f"The git remote {settings.git_remote} no longer has the anchors that were pushed to it.", lost=pushed)
        if not listed:
            return RemoteAnchors(note=f"The git remote {settings.git_remote} has no anchors yet." if local else "")
        refspec, options = f"+{REF}:{_FETCHED}", ("--quiet", "--no-tags", "--no-write-fetch-head")
        _git(settings, "fetch", *options, settings.git_remote, refspec, timeout_s=_NETWORK_TIMEOUT_S)
    except RunError as error:
        return RemoteAnchors(note=f"The git remote {settings.git_remote} was not compared: {error.reason}.", is_reached=False)
    fetched = _resolve(settings, _FETCHED)
    if pushed and not _contains(settings, fetched, pushed):
        problem = f"The anchors on the git remote {settings.git_remote} were rewritten: they lack some that were pushed to it."
        return RemoteAnchors(problem, commit=fetched, lost=pushed)
    if pushed and not _contains(settings, local, pushed):
        problem = f"The anchors in this repository were rewritten: they lack some that were pushed to {settings.git_remote}."
        return RemoteAnchors(problem, commit=fetched, lost=pushed)
    is_behind = bool(local) and not _contains(settings, fetched, local)
    return RemoteAnchors(note="Some anchors are not pushed yet." if is_behind else "", commit=fetched)


def _merge(settings: Settings, commit: str) -> None:
    """Let the ref contain a commit of the remote: move it forward to it, or merge it."""

    def join(tip: str) -> str:
        if not tip or _contains(settings, commit, tip):
            return commit
        if _contains(settings, tip, commit):
            return tip
        return _commit(settings, f"{tip}^{{tree}}", "merge the anchors of another machine\n", [tip, commit])

    _advance(settings, join)


def _advance(settings: Settings, build: Callable[[str], str]) -> None:
    """Move the ref to the commit that ``build`` returns for its tip; repeat if another process has moved it meanwhile."""
    for attempt in range(_ATTEMPTS):
        tip = _resolve(settings, REF)
        try:
            _git(settings, "update-ref", REF, build(tip), tip or _NO_COMMIT)
        except RunError:
            if attempt == _ATTEMPTS - 1:
                raise
            continue
        return


def _commit(settings: Settings, tree: str, message: str, parents: list[str]) -> str:
    arguments = [argument for parent in parents for argument in ("-p", parent)]
    return _git(settings, *_IDENTITY, "commit-tree", "--no-gpg-sign", tree, *arguments, stdin=message)


def _resolve(settings: Settings, ref: str) -> str:
    """Return the commit of a ref; empty if it does not exist. Raises RunError if git cannot be used."""
    return _git(settings, "for-each-ref", "--format=%(objectname)", ref)


def _contains(settings: Settings, commit: str, ancestor: str) -> bool:
    return bool(commit) and not _git(settings, "rev-list", "--max-count=1", ancestor, f"^{commit}", "--")


def _git(settings: Settings, *arguments: str, stdin: str = "", timeout_s: float = _LOCAL_TIMEOUT_S) -> str:
    """Run git in the checkout itself, never in a repository around it, and return its output. Raises RunError."""
    if not (settings.root / ".git").exists():
        raise RunError("git", f"{settings.root} is not a git repository", "Clone the project with git, or keep backups of the store.")
    command, env = ["git", *arguments], {name: value for name, value in os.environ.items() if name not in _REPOSITORY_VARIABLES}
    env["GIT_TERMINAL_PROMPT"] = "0"
    try:
        env |= dagshub.git_environment(settings) if arguments[0] in NETWORK_COMMANDS else {}
        process = subprocess.run(  # noqa: S603
            command, cwd=settings.root, env=env, input=stdin, capture_output=True, text=True, timeout=timeout_s, check=False
        )
    except SetupError as error:
        raise RunError("git", error.reason, error.hint) from error
    except FileNotFoundError as error:
        raise RunError("git", "git is not installed", "Install git, or keep backups of the store.") from error
    except subprocess.TimeoutExpired as error:
        raise RunError("git", f"git {arguments[0]} took longer than {timeout_s:g} s", "Check the connection to the git remote.") from error
    if process.returncode:
        lines = process.stderr.strip().splitlines() or [f"it ended with status {process.returncode}"]
        message = next((line for line in lines if line.startswith(("fatal: ", "error: "))), lines[-1])
        reason = f"git {arguments[0]}: {message.removeprefix('fatal: ').removeprefix('error: ').rstrip('.')}"
        raise RunError("git", reason, f"It ran in {settings.root}.")
    return process.stdout.strip()
