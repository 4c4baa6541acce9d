"""The icons, drawn here: strokes on a 24 by 24 grid, in the colour of the text around them."""

import reflex as rx

_PATHS = {
    "plus": ("M12 5v14", "M5 12h14"),
    "menu": ("M4 7h16", "M4 12h16", "M4 17h10"),
    "close": ("M6 6l12 12", "M18 6L6 18"),
    "send": ("M12 19V5", "M6 11l6-6 6 6"),
    "sun": (
        "M12 8a4 4 0 1 0 0 8 4 4 0 0 0 0-8z",
        "M12 2.5v2M12 19.5v2M2.5 12h2M19.5 12h2M5.3 5.3l1.4 1.4M17.3 17.3l1.4 1.4M5.3 18.7l1.4-1.4M17.3 6.7l1.4-1.4",
    ),
    "moon": ("M20 14.5A8.5 8.5 0 0 1 9.5 4a8.5 8.5 0 1 0 10.5 10.5z",),
    "warning": ("M12 4L2.8 19.5h18.4L12 4z", "M12 10v4.5", "M12 17.2v.1"),
    "clock": ("M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M12 7.5V12l3 2"),
    "halted": ("M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M9.5 9.5h5v5h-5z"),
    "offline": (
        "M3 3l18 18",
        "M8.5 15.5a5 5 0 0 1 5.6-1",
        "M5 12a10 10 0 0 1 4-2.4M13 9a10 10 0 0 1 6 3",
        "M12 19.5v.1",
    ),
    "bin": ("M5 7h14", "M10 7V4.5h4V7", "M7 7l.8 12.5h8.4L17 7", "M10.5 10.5v5.5M13.5 10.5v5.5"),
    "again": ("M19.5 12a7.5 7.5 0 1 1-2.3-5.4", "M19.5 3.5v4h-4"),
    "onward": ("M5 12h13", "M12.5 6.5L18 12l-5.5 5.5"),
    "earlier": ("M14.5 6L8.5 12l6 6",),
    "later": ("M9.5 6l6 6-6 6",),
    "more": tuple(f"M{x} 11.4a.6.6 0 1 0 0 1.2.6.6 0 0 0 0-1.2z" for x in (5.5, 12, 18.5)),
    "pencil": ("M4.5 19.5l1-4.2L16 4.8l3.2 3.2L8.7 18.5l-4.2 1z", "M13.5 7.3l3.2 3.2"),
    "people": (
        "M9 5a3.3 3.3 0 1 0 0 6.6A3.3 3.3 0 0 0 9 5z",
        "M2.8 19.2c.5-3.2 2.8-4.8 6.2-4.8s5.7 1.6 6.2 4.8",
        "M15.8 5.3a3.3 3.3 0 0 1 0 6M18 14.9c1.8.7 2.9 2.2 3.2 4.3",
    ),
    "sliders": (
        "M4 7h9M17 7h3",
        "M15 4.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z",
        "M4 17h3M11 17h9",
        "M9 14.8a2.2 2.2 0 1 0 0 4.4 2.2 2.2 0 0 0 0-4.4z",
    ),
    "eye": (
        "M2.5 12c2.2-4.3 5.4-6.5 9.5-6.5s7.3 2.2 9.5 6.5c-2.2 4.3-5.4 6.5-9.5 6.5s-7.3-2.2-9.5-6.5z",
        "M12 9.2a2.8 2.8 0 1 0 0 5.6 2.8 2.8 0 0 0 0-5.6z",
    ),
    "eraser": ("M5 19.5h14", "M9.2 16.5L4.5 11.8l7.6-7.6 6.3 6.3-6 6z", "M8.3 8l6.3 6.3"),
    "leave": ("M13 4.5H5.5v15H13", "M10.5 12H20", "M16.3 8.3L20 12l-3.7 3.7"),
    "download": ("M12 4v11", "M7 10.5l5 5 5-5", "M5 19.5h14"),
    "copy": ("M9 9h10.5v10.5H9z", "M15 9V4.5H4.5V15H9"),
    "info": ("M12 3.5a8.5 8.5 0 1 0 0 17 8.5 8.5 0 0 0 0-17z", "M12 11v5.5M12 7.6v.1"),
    "play": ("M7.5 5l11 7-11 7V5z",),
    "bell": ("M6 16.5V11a6 6 0 0 1 12 0v5.5l1.5 1.5h-15L6 16.5z", "M10 20.5h4"),
    "bellOff": ("M8 6.5A6 6 0 0 1 18 11v4", "M16.5 18h-12L6 16.5V11c0-.7.1-1.3.3-2", "M10 20.5h4", "M4 4l16 16"),
    "check": ("M5 12.5l4.5 4.5L19 7.5",),
    "cut": ("M4 7h16", "M4 12h9", "M4 17h5M17 12.2v.1M13 17.2v.1M17 17.2v.1"),
    "river": ("M5 4c0 6.5 7 6 7 12v5", "M19 4c0 6.5-7 6-7 12", "M12 4v5"),
}

# As attributes: Reflex turns the presentational ones into a style sheet if they are props.
_SVG = {"viewBox": "0 0 24 24", "aria-hidden": "true", "focusable": "false"}


def icon_paths(*names: str) -> dict[str, tuple[str, ...]]:
    """The strokes of icons, for a component that draws them itself."""
    return {name: _PATHS[name] for name in names}


def icon(name: str, class_name: str = "size-4") -> rx.Component:
    """The icon `name`. Screen readers skip it: the text or the label beside it says what it means."""
    return rx.el.svg(
        *(rx.el.path(d=path) for path in _PATHS[name]),
        class_name=f"shrink-0 {class_name}",
        custom_attrs=_SVG
        | {
            "fill": "none",
            "stroke": "currentColor",
            "strokeWidth": "1.9",
            "strokeLinecap": "round",
            "strokeLinejoin": "round",
        },
    )


def stop_icon(class_name: str = "size-3") -> rx.Component:
    """The filled square of a stop button."""
    return rx.el.svg(
        rx.el.rect(x="4", y="4", width="16", height="16", rx="3"),
        class_name=f"shrink-0 {class_name}",
        custom_attrs=_SVG | {"fill": "currentColor"},
    )
