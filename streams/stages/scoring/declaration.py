"""What scoring reads, writes and keeps."""

from schemas.topics import INTERACTIONS_ML, ML_SCORES
from streams.core.declaration import Declaration, Table

DECLARATION = Declaration(
    name="scoring",
    reads=INTERACTIONS_ML,
    writes=(ML_SCORES,),
    tables=(Table(name="calls", key="partition | epoch", holds="which interactions are scored"),),
)
