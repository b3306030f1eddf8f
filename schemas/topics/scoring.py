"""What a model says of interactions: cxone-interactions-ml -> scoring -> scores."""

from schemas.topics.spec import TopicSpec

ML_SCORES = TopicSpec(name="cxone.ml.scores", key="interaction id", record="InteractionScore")
