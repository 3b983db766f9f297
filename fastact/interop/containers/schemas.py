"""Arrow's schemas: what they say besides names and types, of pandas above all, stays when types change."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

import numpy as np

__all__ = ["pandas_metadata", "with_dtypes"]


def with_dtypes(schema: Any, dtypes: Mapping[int, np.dtype[Any]]) -> Any:
    """The schema with other types of some columns, given by their places, and with what pandas is told of them."""
    import pyarrow as pa

    pandas = pandas_metadata(schema)
    for place, dtype in dtypes.items():
        kind = pa.from_numpy_dtype(dtype)
        for column in pandas.get("columns", []) if kind != schema.field(place).type else []:
            if column.get("field_name", column["name"]) == schema.names[place]:
                column |= {"pandas_type": str(dtype), "numpy_type": _name_of_dtype(column["numpy_type"], dtype, kind)}
        schema = schema.set(place, schema.field(place).with_type(kind))
    if pandas:
        schema = schema.with_metadata({**schema.metadata, b"pandas": json.dumps(pandas).encode()})
    return schema


def _name_of_dtype(before: str, dtype: np.dtype[Any], kind: Any) -> str:
    """Pandas' name of the dtype of a column of which the dtype was another one before: nullable, Arrow's or NumPy's."""
    if before.endswith("[pyarrow]"):
        return f"{kind}[pyarrow]"
    nullable = before[:1].isupper() and dtype != np.float16  # pandas has no nullable one of that
    return str(dtype).capitalize() if nullable else str(dtype)


def pandas_metadata(schema: Any) -> dict[str, Any]:
    """What the schema tells pandas, if anything."""
    try:
        found = json.loads((schema.metadata or {}).get(b"pandas", b"{}"))
    except ValueError:
        return {}
    return found if isinstance(found, dict) else {}
