"""Commands of the demonstration: ``demo-data`` and ``demo``."""

from pathlib import Path
from typing import Annotated

import typer


def demo_data(
    folder: Annotated[Path, typer.Argument(metavar="DIR", help="a folder that is new, empty, or holds demo data of this seed")],
    clips: Annotated[int, typer.Option(min=0, help="how many clips, half of them real")] = 120,
    images: Annotated[int, typer.Option(min=0, help="how many images, half of them real")] = 80,
    unseen: Annotated[int, typer.Option(min=0, help="how many clips of other scenes to put in `DIR-unseen`")] = 6,
    seed: Annotated[int, typer.Option(min=0, help="of all randomness; the same seed gives the same files")] = 42,
) -> None:
    """Render a labelled set of clips and images without downloads: simulated cameras against simulated generators.

    Scores on it say that the pipeline works. They say nothing of real cameras or real generators.

    Examples:

        bonafide demo-data demo-data

        bonafide demo-data /tmp/small --clips 24 --images 12 --unseen 2
    """
    from bonafide.demo.render import CAVEAT, render

    done = render(folder, clips=clips, images=images, unseen=unseen, seed=seed)
    typer.echo(f"{done.folder}: {done.files} files, {done.new} of them rendered now; clips that no run sees: {done.unseen}")
    typer.secho(CAVEAT, fg=typer.colors.YELLOW)


def demo() -> None:
    """Run the whole job on a rendered set, in a clone of this checkout: prepare, train, review, and detect clips that it never saw.

    The second run takes everything from the caches. Delete `.bonafide/demo` to begin anew.

    Example:

        bonafide demo
    """
    from bonafide.runs.output import sieved_errors
    from bonafide.settings import get_settings

    with sieved_errors():
        from bonafide.demo.run import run  # TensorFlow

        run(get_settings())
