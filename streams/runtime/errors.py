"""What can go wrong in a stage.

* StreamsError
  x DrainError              what was folded could not be written before the partitions went
  x WithdrawnError          the partitions are going: what is being delivered is the next owner's
  x SuspendedError          the partitions may be another worker's: the group has not heard of this process for long
  x TooManyRefusedError     all records were refused, from the start: the fault is not in them
  x UndeclaredError         a stage reads or keeps something that its declaration does not name
  x StateRefusedError       stored state must not be gone on with (streams.core.state_format)
  x ChildError              a process of the demo ended, or does not get ready (streams.demo.processes)
"""

from streams.core.contract import StreamsError


class DrainError(StreamsError):
    """What was folded could not be written before the partitions went."""


class WithdrawnError(StreamsError):
    """The partitions are going: what is being delivered is the next owner's."""


class SuspendedError(StreamsError):
    """The group has not heard of this process for so long that its partitions may be another worker's."""


class TooManyRefusedError(StreamsError):
    """All records were refused, from the start."""


class UndeclaredError(StreamsError):
    """A stage reads or keeps something that its declaration does not name: the topic may not be there."""
