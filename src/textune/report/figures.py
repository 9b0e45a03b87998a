"""Charts as images, without browser and without network."""

import re
from typing import Any

PIXELS_PER_POINT = 2.0
"""PNG files are drawn at twice the size of the page, for print."""


def svg(spec: dict[str, Any]) -> str:
    """The chart as SVG text; labels are escaped by the renderer."""
    import vl_convert

    return str(vl_convert.vegalite_to_svg(spec, allowed_base_urls=[]))


def png(svg_text: str) -> bytes:
    """The PNG file of an SVG chart."""
    import vl_convert

    return bytes(vl_convert.svg_to_png(svg_text, scale=PIXELS_PER_POINT))


def svg_in_page(svg_text: str, name: str, caption: str) -> str:
    """An SVG to stand inside an HTML page: ids unique in the page, scaled by its width, named."""
    from markupsafe import escape

    own_ids = re.sub(r'(\bid="|url\(#)', rf"\g<1>{name}-", svg_text)
    label = f'<svg role="img" aria-label="{escape(caption)}" '
    return own_ids.replace("<svg ", label, 1)
