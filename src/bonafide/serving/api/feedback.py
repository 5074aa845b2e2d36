"""What somebody says that a file is, where the detector was wrong."""

from fastapi import APIRouter, Request

from bonafide.errors import NotKeptError
from bonafide.feedback.opinions import give
from bonafide.serving import records
from bonafide.serving.access.callers import Calling
from bonafide.serving.api.arguments import Known
from bonafide.serving.api.documented import errors
from bonafide.serving.api.schemas import PREFIX, Opinion, Said
from bonafide.serving.intake.uploads import MEDIA

router = APIRouter(prefix=f"{PREFIX}/detections", tags=["detections"])


@router.post("/{detection_id}/feedback", summary="Say what one is", responses=errors(400, 403, 404, 409, 413))
def said(request: Request, caller: Calling, detection_id: Known, opinion: Opinion) -> Said:
    """Keep an opinion under the caller's name, and the file with it; saying it again replaces it.

    Where two people agree and nobody says otherwise, the next dataset takes the file in.
    """
    state = request.app.state
    record = records.find(state.store, caller, detection_id)
    file = state.settings.uploads_dir / record.key / MEDIA
    if not record.media or not file.exists():
        raise NotKeptError(record.file, "is not kept any more, so nothing can be learnt from it", "Hand it in again.")
    case = give(state.store, state.settings.feedback_dir, file, opinion.label, opinion.why, caller.name, record.file)
    return Said(media_id=case.media_id, state=case.state, said=[Opinion(label=one.label, why=one.why) for one in case.said])
