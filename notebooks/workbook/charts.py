"""Charts that JupyterLab draws itself (Vega-Lite), each with a text that says the same."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from .pictures import Rich

VEGA_LITE = "application/vnd.vegalite.v5+json"
GREY = "#808080"  # seen on a light page and on a dark one


def chart(rows: Iterable[Mapping[str, Any]], text: str, **spec: Any) -> Rich:
    """A Vega-Lite chart of these rows.

    ``spec`` is the rest of the specification: mark, encoding, layer, height
    (https://vega.github.io/vega-lite/docs/). ``text`` is what a reader without the picture
    gets; it stands in the chart's description, too.
    """
    plain = {
        "$schema": "https://vega.github.io/schema/vega-lite/v5.json",
        "description": text,
        "background": "transparent",
        "width": 620,
        # Its menu would be a button without a name, which screen readers cannot tell.
        "usermeta": {"embedOptions": {"actions": False}},
        "data": {"values": [dict(row) for row in rows]},
        "config": {
            "view": {"stroke": None},
            "axis": dict.fromkeys(("labelColor", "titleColor", "domainColor"), GREY)
            | {"gridOpacity": 0.3},
            "legend": dict.fromkeys(("labelColor", "titleColor"), GREY),
            "title": {"color": GREY},
            "header": dict.fromkeys(("labelColor", "titleColor"), GREY),
        },
    }
    return Rich(VEGA_LITE, plain | spec, text)
