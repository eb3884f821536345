"""Settings: TOML to frozen dataclasses and back, strict in both directions.

A unit of settings is a frozen dataclass beside the thing it sets. This module turns tables
(what TOML holds) into such dataclasses, refusing unknown keys and wrong types by the dotted
key, and turns them back. pydantic does the validation; its errors become one line.
"""

import json
import sys
import tomllib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, fields, is_dataclass
from datetime import date, time
from pathlib import Path
from typing import Annotated, Any, TypeVar

import tomli_w
from pydantic import Field, TypeAdapter, ValidationError

from convlens.core.errors import ConfigError
from convlens.core.names import nearest, suggestion

T = TypeVar("T")
SettingsTable = dict[str, Any]  # what a TOML table holds
_SHOULD = "Input should be "  # how pydantic begins
Fraction = Annotated[float, Field(ge=0, lt=1)]  # the type of a setting: a share, never all


def parse(kind: type[T], table: Mapping[str, Any], *, section: str = "") -> T:
    """The dataclass `kind` with the settings of `table`; `section` names it in errors.

    Raises:
        ConfigError: an unknown key, a wrong type or a value out of range.
    """
    known = [field.name for field in fields(kind)]  # type: ignore[arg-type]
    for key in table:
        if key not in known:
            hint = suggestion(key, known)
            raise ConfigError(f"{_dotted(section, key)}: unknown setting; {hint}")
    _refuse_unsayable(table, section)
    try:
        # Through JSON, since there pydantic's strict mode takes lists for tuples and whole
        # numbers for floats, as TOML means them, and still refuses "3" for 3.
        return TypeAdapter(kind).validate_json(json.dumps(table), strict=True)
    except ValidationError as error:
        first = error.errors()[0]
        cause = first.get("ctx", {}).get("error")
        if isinstance(cause, ConfigError):  # a rule between settings, told by the dataclass
            raise cause from None
        choices = _of_one_union(error.errors())
        last = choices[-1]
        key = _dotted(section, *map(str, first["loc"][:1] if len(choices) > 1 else first["loc"]))
        message = first["msg"][0].lower() + first["msg"][1:]
        message += "".join(f" or {other['msg'].removeprefix(_SHOULD)}" for other in choices[1:])
        found = first["input"]
        hint = _nearest_choice(found, last.get("ctx", {}))
        raise ConfigError(f"{key}: {message}, not {found!r}{hint}") from None


def check(config: T, *, section: str = "") -> T:
    """`config` again, if its values are legal; for dataclasses built in Python.

    Raises:
        ConfigError: a wrong type or a value out of range.
    """
    return parse(type(config), to_table(config), section=section)


def to_table(config: object) -> SettingsTable:
    """The settings of a dataclass as a table; None, which TOML cannot say, is left out."""
    assert is_dataclass(config) and not isinstance(config, type)
    return {key: value for key, value in asdict(config).items() if value is not None}


def read_toml(path: Path) -> SettingsTable:
    """The table in a TOML file.

    Raises:
        ConfigError: the file is missing, unreadable or not TOML; says where.
    """
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {(error.strerror or str(error)).lower()}") from None
    except UnicodeDecodeError as error:
        raise ConfigError(f"{path}: not UTF-8 text (byte {error.start})") from None
    except (ValueError, RecursionError) as error:  # also numbers and nesting too long
        raise ConfigError(f"{path}: not TOML: {error}") from None


def write_toml(table: SettingsTable) -> str:
    """A table as TOML text; `read_toml` gives the same table back."""
    return tomli_w.dumps(table)


def override(table: SettingsTable, assignments: Iterable[str]) -> SettingsTable:
    """A copy of `table` with dotted settings replaced, the last one winning.

    Values are TOML; a bare word is text.

    >>> override({"train": {"lr": 0.1}}, ["train.lr=0.5", "model.activation=relu"])
    {'train': {'lr': 0.5}, 'model': {'activation': 'relu'}}

    Raises:
        ConfigError: an assignment that is not `dotted.key=value`.
    """
    result: SettingsTable = {
        key: dict(value) if isinstance(value, dict) else value for key, value in table.items()
    }
    for assignment in assignments:
        key, equals, value = assignment.partition("=")
        section, dot, name = key.strip().partition(".")
        if not (equals and dot and section and name) or "." in name:
            raise ConfigError(
                f"{assignment!r} is not a setting",
                fix="write section.key=value, as in train.lr=0.1",
            )
        inner = result.setdefault(section, {})
        if not isinstance(inner, dict):
            raise ConfigError(f"{section}: not a section, so {key!r} cannot be set")
        inner[name] = _toml_value(value.strip())
    return result


def _toml_value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}")["value"]
    except (ValueError, RecursionError):
        return text


def _dotted(*parts: str) -> str:
    return ".".join(part for part in parts if part)


def _refuse_unsayable(value: object, key: str) -> None:
    """Refuse what TOML can say and no setting can mean; JSON would fail on it or let it pass."""
    if isinstance(value, Mapping):
        for name, inner in value.items():
            _refuse_unsayable(inner, _dotted(key, str(name)))
    elif isinstance(value, list | tuple):
        for index, inner in enumerate(value):
            _refuse_unsayable(inner, _dotted(key, str(index)))
    elif isinstance(value, date | time):
        raise ConfigError(f"{key}: a date or a time is no setting")
    elif isinstance(value, int | float) and not -sys.float_info.max <= value <= sys.float_info.max:
        raise ConfigError(f"{key}: input should be a finite number")


def _of_one_union(errors: Sequence[Any]) -> Sequence[Any]:
    """The first of these errors, and those of the other types that its setting may have.

    pydantic ends the place of an error with the type's name, where there is more than one.
    """
    place = errors[0]["loc"]
    if len(place) < 2 or not isinstance(place[-1], str):
        return errors[:1]
    return [error for error in errors if error["loc"][:-1] == place[:-1]]


def _nearest_choice(found: object, context: Mapping[str, Any]) -> str:
    choices = str(context.get("expected", "")).replace(" or ", ", ").replace("'", "").split(", ")
    near = nearest(found, choices) if isinstance(found, str) else None
    return f"; did you mean {near!r}?" if near else ""
