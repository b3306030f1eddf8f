"""A `.env` file -> its values, as they stand: nothing is expanded, whoever wrote the file."""

import codecs
from collections.abc import Mapping
from functools import lru_cache
from io import StringIO
from pathlib import Path
from typing import TypeVar

from dotenv import dotenv_values
from pydantic_settings import BaseSettings, EnvSettingsSource, PydanticBaseSettingsSource
from pydantic_settings.sources.utils import parse_env_vars

from connectors.errors import ConfigurationError

Model = TypeVar("Model", bound=BaseSettings)
Values = tuple[tuple[str, str | None], ...]

_OTHERS = (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE, codecs.BOM_UTF32_BE)  # UTF-32 LE begins as UTF-16 LE does


def of(file: Path) -> Values:
    """Return (name, value) of each line; nothing without a file.

    Raises ConfigurationError when it cannot be read, or is not UTF-8.
    """
    if not file.is_file() and not file.is_fifo():
        return ()
    try:
        text = _text(file.read_bytes())
    except OSError as unreadable:
        problem = f"cannot be read ({unreadable.strerror})"
    except UnicodeError:
        problem = "is not UTF-8. Save it as UTF-8; Windows' editors call UTF-16 Unicode"
    else:
        return tuple(dotenv_values(stream=StringIO(text), interpolate=False).items())
    raise ConfigurationError(f"{file}: {problem}.")  # outside `except`: its error would hold the bytes


def _text(data: bytes) -> str:
    if data.startswith(_OTHERS) or b"\0" in data:
        raise UnicodeError
    return data.decode("utf-8-sig")  # Windows' editors begin a UTF-8 file with a mark


@lru_cache(maxsize=64)
def reading(model: type[Model], values: Values) -> type[Model]:
    """Return `model` as a class that takes what the environment does not say from `values`."""

    class _Values(EnvSettingsSource):
        def _load_env_vars(self) -> Mapping[str, str | None]:
            return parse_env_vars(dict(values), self.case_sensitive, self.env_ignore_empty, self.env_parse_none_str)

    class Reading(model):  # type: ignore[misc, valid-type]  # a class of its own for each model
        @classmethod
        def settings_customise_sources(
            cls,
            settings_cls: type[BaseSettings],
            init_settings: PydanticBaseSettingsSource,
            env_settings: PydanticBaseSettingsSource,
            dotenv_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - it is given by name
            file_secret_settings: PydanticBaseSettingsSource,  # noqa: ARG003 - as above
        ) -> tuple[PydanticBaseSettingsSource, ...]:
            return init_settings, env_settings, _Values(settings_cls)

    return Reading
