"""What everything that schema ids come from promises: the checked-in file, a stand-in, a real registry."""

import pytest

from schemas.releases import SchemaIds, releases

SUBJECT = "cxone.interactions.completed-value"


class SchemaIdsContract:
    """Subclasses have a fixture `ids`."""

    def test_a_released_schema_has_one_id_under_which_it_is_found(self, ids: SchemaIds) -> None:
        schema = releases()[SUBJECT][-1].schema

        schema_id = ids.id_for(SUBJECT, schema)

        assert ids.id_for(SUBJECT, schema) == schema_id
        found = ids.schema_for(schema_id)
        assert (found["name"], found["fields"]) == (schema["name"], schema["fields"])

    def test_subjects_with_different_schemas_have_different_ids(self, ids: SchemaIds) -> None:
        found = {ids.id_for(subject, listed[-1].schema) for subject, listed in releases().items()}

        assert len(found) == len(releases())

    def test_an_id_that_nobody_has_is_no_schema(self, ids: SchemaIds) -> None:
        with pytest.raises(LookupError):
            ids.schema_for(999_999)
