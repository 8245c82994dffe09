"""Every notebook runs from top to bottom, and shows what it shows in the repository."""

import re
from pathlib import Path

import nbformat
import pytest
from nbclient import NotebookClient

ROOT = Path(__file__).parent.parent
NOTEBOOKS = sorted((ROOT / "notebooks").glob("*.ipynb"))


def shown_text(notebook: nbformat.NotebookNode) -> list[list[str]]:
    """The text that each code cell shows; pictures count by their presence only."""
    return [[text_of(output) for output in cell.outputs] for cell in code_cells(notebook)]


def code_cells(notebook: nbformat.NotebookNode) -> list[nbformat.NotebookNode]:
    return [cell for cell in notebook.cells if cell.cell_type == "code"]


def text_of(output: nbformat.NotebookNode) -> str:
    if output.output_type == "stream":
        return output.text
    if "image/png" in output.data:
        return "<picture>"
    return re.sub(r" at 0x[0-9a-f]+", "", output.data.get("text/plain", ""))


def test_there_are_notebooks() -> None:
    assert NOTEBOOKS, f"no notebook under {ROOT / 'notebooks'}"


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_notebook_runs_and_shows_what_is_committed(path: Path) -> None:
    committed = nbformat.read(path, as_version=4)
    executed = NotebookClient(
        nbformat.from_dict(committed), timeout=300, resources={"metadata": {"path": str(ROOT)}}
    ).execute()

    assert shown_text(executed) == shown_text(committed), "run `make notebooks` and look at it"
