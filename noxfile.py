"""What is run in environments of its own: the oldest versions, the newest, and the package alone.

``nox`` runs all of it, ``nox --session newest -- -k units`` hands arguments to pytest. An
interpreter that is not there is an error, and no session is skipped.
"""

import os
import re
import shutil
import subprocess
import tarfile
import tempfile
import zipfile
from pathlib import Path

import nox

nox.needs_version = ">=2025.5"
nox.options.default_venv_backend = "venv"
nox.options.error_on_missing_interpreters = True

ROOT = Path(__file__).parent
OLDEST = "3.11"
NEWER = ("3.15", "3.14", "3.13", "3.12")  # the newest one that is installed
PYTEST = ("--numprocesses", "auto", "--maxprocesses", "8")
ENV = {"JAX_PLATFORMS": "cpu"}
# The releases of brainunit that no other run has, and the tests of what they differ in.
BRAINUNITS = "0.5.0", "0.5.1"
OF_UNITS = [
    f"tests/{name}.py"
    for name in ("test_units", "test_display", "test_plan", "test_physics", "linalg/test_matrix")
]
EXTRAS = nox.project.load_toml(ROOT / "pyproject.toml")["project"]["optional-dependencies"]
# Tests skip a library that does not import, which here must not go unnoticed. Not asdex, a peer of
# one test: it does not import on JAX 0.12.
LIBRARIES = (
    "astropy.units, braincell, brainstate, diffrax, equinox, flax.nnx, lineax, matplotlib, optax, "
    "pandas, pint, unxt"
)


def interpreter(*versions: str) -> str:
    """The first of these versions of Python that is installed, on the path or by pyenv."""
    for version in versions:
        of_pyenv = sorted(Path.home().glob(f".pyenv/versions/{version}.*/bin/python"))
        for path in (shutil.which(f"python{version}"), *reversed(of_pyenv)):
            if path is not None and runs(str(path), version):
                return str(path)
    return f"python{versions[0]}"  # which nox will not find, and say so


def runs(path: str, version: str) -> bool:
    """Whether this is that version; a shim of pyenv may stand for none."""
    code = "import sys; print('%d.%d' % sys.version_info[:2])"
    done = subprocess.run([path, "-c", code], capture_output=True, text=True, check=False)
    return done.stdout.strip() == version


def run_tests(session: nox.Session) -> None:
    """Run the tests, after a line that says with what."""
    names = "jax", "jaxlib", "brainunit", "numpy", "scipy"
    code = (
        "import sys; from importlib.metadata import version; "
        f"print('Python', sys.version.split()[0], *[n + ' ' + version(n) for n in {names}])"
    )
    session.run("python", "-c", code)
    session.run("python", "-c", f"import {LIBRARIES}", env=ENV)
    session.run("python", "-m", "pytest", *(session.posargs or PYTEST), env=ENV)


@nox.session(python=interpreter(OLDEST))
def lowest(session: nox.Session) -> None:
    """The tests with the oldest versions that pyproject.toml allows, on the oldest Python."""
    # each `name>=version` becomes `name==version`
    text = (ROOT / "pyproject.toml").read_text(encoding="utf-8")
    bounds = re.findall(r'"([a-z][a-z0-9-]*)(?:\[\w+\])?>=([0-9.]+)"', text)
    constraints = Path(session.create_tmp()) / "versions.txt"
    constraints.write_text("\n".join(f"{name}=={version}" for name, version in bounds))
    session.install("--editable", ".[test]", "--constraint", str(constraints))
    run_tests(session)


@nox.session(python=interpreter(*NEWER))
def newest(session: nox.Session) -> None:
    """The tests with the newest versions of everything, on the newest Python that there is."""
    session.install("--upgrade", "--editable", ".[test]")
    run_tests(session)


@nox.session(python=interpreter(OLDEST))
def brainunit(session: nox.Session) -> None:
    """The tests of units with the releases of brainunit between the oldest and the newest."""
    tools = [tool for tool in EXTRAS["test"] if tool.startswith(("pytest", "hypothesis", "sympy"))]
    session.install("--editable", ".", *tools)
    for release in BRAINUNITS:
        session.install(f"brainunit=={release}", f"saiunit=={release}")
        session.run("python", "-m", "pytest", *(session.posargs or PYTEST), *OF_UNITS, env=ENV)


@nox.session(python=interpreter(OLDEST))
def package(session: nox.Session) -> None:
    """Build the package, check it, and run the main job with nothing but the wheel."""
    pyright = [pinned for pinned in EXTRAS["dev"] if pinned.startswith("pyright")]
    session.install(*EXTRAS["ci"], *pyright, "cffconvert")
    session.run("cffconvert", "--validate")
    folder = Path(session.create_tmp()).resolve() / "dist"
    shutil.rmtree(folder, ignore_errors=True)
    session.run("python", "-m", "build", "--outdir", str(folder))
    (wheel,), (sdist,) = folder.glob("*.whl"), folder.glob("*.tar.gz")
    session.run("twine", "check", "--strict", str(wheel), str(sdist))
    check_contents(session, wheel, sdist)
    session.run("python", "-m", "venv", "--clear", str(folder / "alone"))
    alone = folder / "alone" / "bin"
    session.run(str(alone / "python"), "-m", "pip", "install", "--quiet", str(wheel), external=True)
    with session.chdir(folder):  # where no source of the package lies
        session.run(str(alone / "unitjac"), "sensitivity", "hodgkin-huxley", env=ENV, external=True)
    check_types(session, alone.parent)


def check_types(session: nox.Session, environment: Path) -> None:
    """Raise where a public name of the installed wheel has no complete type."""
    path = f"{environment / 'bin'}{os.pathsep}{os.environ['PATH']}"
    types = "--verifytypes", "unitjac", "--ignoreexternal"
    pyright = str(Path(session.bin).resolve() / "pyright")
    # elsewhere: in here pyright would read pyproject.toml, and look at the sources
    with tempfile.TemporaryDirectory() as elsewhere, session.chdir(elsewhere):
        # nox would put its own environment first
        of_wheel = f"VIRTUAL_ENV={environment}", f"PATH={path}"
        session.run("env", *of_wheel, pyright, *types, external=True)


def check_contents(session: nox.Session, wheel: Path, sdist: Path) -> None:
    """Raise where a file that has to be in the package is not, or one that has not is."""
    in_wheel = set(zipfile.ZipFile(wheel).namelist())
    with tarfile.open(sdist) as archive:
        in_sdist = {name.partition("/")[2] for name in archive.getnames()}
    modules = {str(path.relative_to(ROOT)) for path in (ROOT / "unitjac").rglob("*.py")}
    wanted_everywhere = modules | {"unitjac/py.typed"}
    wanted_in_sdist = {"tests/conftest.py", "docs/index.md", "LICENSE", "pyproject.toml"}
    lost = (wanted_everywhere - in_wheel) | ((wanted_everywhere | wanted_in_sdist) - in_sdist)
    strange = {name for name in in_wheel if not name.startswith(("unitjac/", "unitjac-"))}
    if lost or strange:
        session.error(f"missing in the package: {sorted(lost)}; not wanted: {sorted(strange)}")
