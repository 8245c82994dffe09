"""The pages around a piece of HTML: a cell of JupyterLab, and a notebook on GitHub.

Names and values are those of JupyterLab 4 (packages/theme-*-extension/style/variables.css,
packages/rendermime/style/base.css), as far as they reach into an output.
"""

import re

LIGHT = {
    "content-font-color": ("#000", "rgba(0,0,0,.87)", "rgba(0,0,0,.54)", "rgba(0,0,0,.38)"),
    "ui-font-color": ("#000", "rgba(0,0,0,.87)", "rgba(0,0,0,.54)", "rgba(0,0,0,.38)"),
    "layout-color": ("#fff", "#fff", "#eee", "#bdbdbd", "#757575"),
    "border-color": ("#bdbdbd", "#bdbdbd", "#e0e0e0", "#eee"),
    "brand-color": ("#1976d2", "#2196f3", "#64b5f6", "#bbdefb", "#e3f2fd"),
    "rendermime-table-row-background": "#f5f5f5",
}
DARK = {
    "content-font-color": ("#fff", "#fff", "rgba(255,255,255,.7)", "rgba(255,255,255,.5)"),
    "ui-font-color": ("#fff", "rgba(255,255,255,.87)", "rgba(255,255,255,.54)", "#fff6"),
    "layout-color": ("#111", "#212121", "#424242", "#616161", "#757575"),
    "border-color": ("#616161", "#616161", "#424242", "#212121"),
    "brand-color": ("#1976d2", "#2196f3", "#64b5f6", "#bbdefb", "#e3f2fd"),
    "rendermime-table-row-background": "#212121",
}
BOTH = {
    "content-font-size": ("0.83333em", "14px", "1.2em", "1.44em", "1.728em", "2.0736em"),
    "ui-font-size": ("0.83333em", "13px", "1.2em", "1.44em"),
    "content-font-family": "system-ui, -apple-system, 'Segoe UI', helvetica, arial, sans-serif",
    "ui-font-family": "system-ui, -apple-system, 'Segoe UI', helvetica, arial, sans-serif",
    "code-font-family": "menlo, consolas, 'DejaVu Sans Mono', monospace",
    "code-font-size": "13px",
    "border-width": "1px",
}

LAB = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A notebook</title><style>
:root {{ {variables} }}
body {{ margin: 0; background: var(--jp-layout-color0); color: var(--jp-ui-font-color1);
  font: 13px var(--jp-ui-font-family); }}
.jp-OutputArea-child {{ display: flex; padding: 5px 10px; }}
.jp-OutputPrompt {{ flex: 0 0 64px; text-align: right; padding: 5px; box-sizing: border-box; }}
/* the output scrolls in JupyterLab; here what runs out of it is a fault */
.jp-OutputArea-output {{ flex: 1 1 auto; min-width: 0; }}
.jp-RenderedHTMLCommon {{ padding-right: 20px; color: var(--jp-content-font-color1);
  font: 14px/1.6 var(--jp-content-font-family); }}
.jp-RenderedHTMLCommon table {{ table-layout: fixed; border-collapse: collapse; border: none;
  margin: 0 0 1em; color: var(--jp-ui-font-color1); font-size: 13px; }}
.jp-RenderedHTMLCommon :is(td, th, tr) {{ padding: .5em; border: none; max-width: none;
  text-align: right; vertical-align: middle; white-space: normal; line-height: normal; }}
.jp-RenderedHTMLCommon thead {{ border-bottom: 1px solid var(--jp-border-color1); }}
.jp-RenderedHTMLCommon tbody tr:nth-child(odd) {{ background: var(--jp-layout-color0); }}
.jp-RenderedHTMLCommon tbody tr:nth-child(even) {{
  background: var(--jp-rendermime-table-row-background); }}
.jp-RenderedHTMLCommon p {{ text-align: left; margin: 0 0 1em; }}
.jp-RenderedHTMLCommon svg {{ max-width: 100%; height: auto; }}
.jp-RenderedHTMLCommon pre {{ margin: 0; white-space: pre-wrap; word-break: break-all;
  overflow: auto; color: var(--jp-content-font-color1); background: var(--jp-layout-color0);
  font: 13px/1.3 var(--jp-code-font-family); }}
</style></head>
<body class="jp-ThemedContainer" data-jp-theme-light="{is_light}"
 data-jp-theme-name="JupyterLab {name}">
<div class="jp-OutputArea-child jp-OutputArea-executeResult">
<div class="jp-OutputPrompt">[1]:</div>
<div class="jp-OutputArea-output jp-RenderedHTMLCommon jp-RenderedHTML" data-mime-type="text/html"
 data-cell>{html}</div>
</div></body></html>
"""

SHEETLESS = """<!doctype html>
<html lang="en"><head><meta charset="utf-8"><title>A notebook on GitHub</title><style>
body {{ margin: 16px; font: 16px/1.5 system-ui, sans-serif; background: #fff; color: #1f2328; }}
table {{ display: block; width: max-content; max-width: 100%; overflow: auto;
  border-collapse: collapse; }}
td, th {{ padding: 6px 13px; border: 1px solid #d1d9e0; }}
pre {{ overflow: auto; font: 85% monospace; }}
@media (prefers-color-scheme: dark) {{
  body {{ background: #0d1117; color: #f0f6fc; }} td, th {{ border-color: #3d444d; }}
}}
</style></head><body><div data-cell>{html}</div></body></html>
"""


def in_jupyter(html: str, theme: str) -> str:
    """An output in a cell of JupyterLab, whose theme need not be the scheme of the window."""
    names = BOTH | (LIGHT if theme == "light" else DARK)
    variables = "".join(
        f"--jp-{name}{k}: {value};" for name, values in names.items() for k, value in each(values)
    )
    return LAB.format(
        variables=variables, is_light=str(theme == "light").lower(), name=theme.title(), html=html
    )


def each(values: str | tuple[str, ...]) -> list[tuple[int | str, str]]:
    return [("", values)] if isinstance(values, str) else list(enumerate(values))


def on_github(html: str) -> str:
    """An output where style sheets and scripts are taken out; what stands in elements stays."""
    bare = re.sub(r"<(style|script)\b.*?</\1>", "", html, flags=re.DOTALL | re.IGNORECASE)
    return SHEETLESS.format(html=bare)


FRAMES = {
    "jupyter light": lambda html: in_jupyter(html, "light"),
    "jupyter dark": lambda html: in_jupyter(html, "dark"),
    "github": on_github,
}
