"""Quantities of other libraries at every door: refused by library, place and what to type.

To JAX one of astropy is an array and one of unxt a tree of arrays: where it passes, its unit is
lost, or put on twice.
"""

from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from types import SimpleNamespace

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import q

import unitjac as uj
from unitjac import linalg, sparse
from unitjac.interop import to_brainunit
from unitjac.optim import scale_by_units
from unitjac.sensitivity import sensitivity_table
from unitjac.testing import assert_close, check_jacobian

units = pytest.importorskip("astropy.units")
pint = pytest.importorskip("pint")
unxt = pytest.importorskip("unxt")
registry = pint.UnitRegistry()


class ArrayWithUnits(np.ndarray):
    """As quantities of ``quantities`` and of ``unyt`` are made: an array that knows its units."""

    def __array_finalize__(self, other):
        self.units = getattr(other, "units", None)


def stand_in(name, library, *bases):
    """A class of the name and the shape of one of another library, as if it came from there."""
    return type(name, bases, {"__module__": f"{library}.inner"})


def array_of(kind, value=2.0, text="mV"):
    made = np.asarray(value).view(kind)
    made.units = text
    return made


def measured():
    """A measurement of pint without the library of uncertainties that it wants."""
    kind = stand_in("Measurement", "pint", pint.facets.plain.PlainQuantity)
    kind._REGISTRY = registry
    return kind(2.0, "mV")


def masked():
    return pytest.importorskip("astropy.utils.masked").Masked([1.0, 2.0] * units.mV, mask=[0, 1])


@partial(jax.tree_util.register_dataclass, data_fields=("value",), meta_fields=("unit",))
@dataclass
class TreeQuantity:
    """A quantity that is a tree to JAX, of a library that nobody has heard of."""

    value: float = 2.0
    unit: str = "mV"


# how each is made, and how messages call it
FOREIGN = {
    "astropy": (lambda: 2.0 * units.mV, "a Quantity of astropy in mV"),
    "astropy array": (lambda: [1.0, 2.0] * units.mV, "a Quantity of astropy in mV"),
    "astropy angle": (lambda: units.Quantity(30.0, "deg"), "a Quantity of astropy in deg"),
    "astropy one": (lambda: units.Quantity(3.0), "a Quantity of astropy"),
    "magnitude": (lambda: units.Magnitude(3.0 * units.ct), r"a Magnitude of astropy in mag\(ct\)"),
    "masked": (masked, "a MaskedQuantity of astropy in mV"),
    "unxt": (lambda: unxt.Quantity(2.0, "mV"), "a (Bare)?Quantity of unxt in mV"),
    "unxt angle": (lambda: unxt.Angle(2.0, "rad"), "an Angle of unxt in rad"),
    "pint": (lambda: 2.0 * registry.mV, "a Quantity of pint in millivolt"),
    "pint array": (lambda: np.ones(2) * registry.mV, "a Quantity of pint in millivolt"),
    "pint of JAX": (lambda: registry.Quantity(jnp.ones(2), "mV"), "a Quantity of pint in milliv"),
    "measurement": (measured, "a Measurement of pint in millivolt"),
    "quantities": (
        lambda: array_of(stand_in("Quantity", "quantities", ArrayWithUnits)),
        "a Quantity of quantities in mV",
    ),
    "unyt": (
        lambda: array_of(stand_in("unyt_quantity", "unyt", ArrayWithUnits)),
        "a unyt_quantity of unyt in mV",
    ),
    "forallpeople": (
        lambda: stand_in("Physical", "forallpeople", SimpleNamespace)(value=2.0, dimensions="V"),
        "a Physical of forallpeople in V",
    ),
    "another array": (
        lambda: array_of(stand_in("Signal", "mylab", ArrayWithUnits)),
        "a Signal of mylab in mV",
    ),
    "another tree": (TreeQuantity, "a TreeQuantity of .* in mV"),
}  # fmt: skip
ARE_TREES = {"unxt", "unxt angle", "another tree"}


def square(x):
    return x * x


def total(x):
    return u.math.sum(x * x)


def returns(value):
    return lambda x: {"y": value}


SPARSE = (jnp.ones(2), {"pattern": np.eye(2)})
TRANSFORMS = {
    "jacrev": uj.jacrev,
    "jacfwd": uj.jacfwd,
    "jacobian": uj.jacobian,
    "grad": uj.grad,
    "value_and_grad": uj.value_and_grad,
    "vector_grad": uj.vector_grad,
    "hessian": uj.hessian,
    "jacobian_matrix": linalg.jacobian_matrix,
    "hessian_matrix": linalg.hessian_matrix,
}
PRODUCTS = {
    "vjp": uj.vjp,
    "linearize": uj.linearize,
    "linear_transpose": uj.linear_transpose,
    "jvp": lambda fun, x: uj.jvp(fun, (x,), (1.0,)),
}
LIKE = {"a": 1.0 * u.mV}


def matrix():
    return linalg.UnitMatrix(jnp.ones((1, 1)), LIKE, LIKE)


def doors():
    """Where a quantity may come in, and how the message calls the place."""
    for name, make in TRANSFORMS.items():
        for jit in (False, True):
            how = f"{name}{', jit' if jit else ''}"
            yield (
                how,
                lambda v, m=make, j=jit: m(total, jit=j)({"x": [v]}),
                r"argument 0\['x'\]\[0\]",
            )
            yield (
                f"{how}, several arguments",
                lambda v, m=make, j=jit: m(lambda x, y: x, argnums=(0, 1), jit=j)(1.0, (v,)),
                r"argument 1\[0\]",
            )
            yield (
                f"{how}, output",
                lambda v, m=make, j=jit: m(returns(v), jit=j)(1.0),
                r"output\['y'\] of ",
            )
    for name, make in PRODUCTS.items():
        yield name, lambda v, m=make: m(square, v), "argument 0"
        yield f"{name}, output", lambda v, m=make: m(returns(v), 1.0), r"output\['y'\] of "
    yield (
        "vjp, cotangent",
        lambda v: uj.vjp(lambda x: (x, x), 1.0)[1]((1.0, v)),
        "the cotangent of output",
    )
    yield (
        "linearize, tangent",
        lambda v: uj.linearize(square, 1.0)[1](v),
        "the tangent of argument 0",
    )
    yield "jvp, tangent", lambda v: uj.jvp(square, (1.0,), (v,)), "the tangent of argument 0"
    yield (
        "linear_transpose, cotangent",
        lambda v: uj.linear_transpose(lambda x: 2 * x, 1.0)(v),
        "the cotangent",
    )
    yield "state", lambda v: uj.State({"V": v}), r"State\.value\['V'\]"
    yield (
        "state, written",
        lambda v: setattr(uj.State(1.0, name="V"), "value", v),
        r"State\(V\)\.value",
    )
    yield (
        "state, written inside",
        lambda v: uj.jacrev(lambda x, s: setattr(s, "value", v))(1.0, uj.State(1.0)),
        "State",
    )
    yield (
        "sparse_jacobian",
        lambda v: uj.sparse_jacobian(square, v, pattern=np.eye(2)),
        "argument 0",
    )
    yield (
        "sparse_jacobian, called",
        lambda v: uj.sparse_jacobian(square, *SPARSE[:1], **SPARSE[1])(v),
        "argument 0",
    )
    yield (
        "sparse_hessian",
        lambda v: sparse.sparse_hessian(total, v, pattern=np.eye(2)),
        "argument 0",
    )
    yield "matrix, entries", lambda v: linalg.UnitMatrix(v, LIKE, LIKE), "the array"
    yield (
        "matrix, rows",
        lambda v: linalg.UnitMatrix(jnp.ones((1, 1)), {"a": v}, LIKE),
        r"leaf \['a'\]",
    )
    yield (
        "matrix, blocks",
        lambda v: linalg.UnitMatrix.from_blocks({"a": {"a": v}}, LIKE, LIKE),
        r"block \(a, a\)",
    )
    yield (
        "matrix, columns",
        lambda v: linalg.UnitMatrix.from_columns([{"a": v}], LIKE),
        r"leaf \['a'\]",
    )
    yield "matrix, diagonal", lambda v: linalg.UnitMatrix.diag({"a": v}), r"leaf \['a'\]"
    yield "matrix, factor", lambda v: matrix().__mul__(v), "the factor"
    yield "matrix, divisor", lambda v: matrix() / v, "the factor"
    yield "matrix @ vector", lambda v: matrix() @ {"a": v}, "the vector, leaf a,"
    yield "solve", lambda v: linalg.solve(matrix(), {"a": v}), "the right side, leaf a,"
    yield "lstsq", lambda v: linalg.lstsq(matrix(), {"a": v}), "the right side, leaf a,"
    yield (
        "scaled",
        lambda v: matrix().scaled(rows={"a": v}, cols=LIKE),
        "the typical outputs, leaf a,",
    )
    yield "covariance", lambda v: linalg.covariance({"a": v}), r"leaf \['a'\]"
    yield (
        "sensitivity_table",
        lambda v: sensitivity_table(lambda p: p["g"], {"g": v}),
        r"argument 0\['g'\]",
    )
    yield (
        "sensitivity_table, output",
        lambda v: sensitivity_table(returns(v), {"g": 1.0}),
        r"output\['y'\] of ",
    )
    yield (
        "check_units",
        lambda v: uj.check_units(lambda x, p: x, 1.0, {"p": v}),
        r"argument 1\['p'\]",
    )
    yield (
        "check_units, keyword",
        lambda v: uj.check_units(lambda x, p: x, 1.0, kwargs={"p": v}),
        "argument 'p'",
    )
    yield (
        "check_units, output",
        lambda v: uj.check_units(returns(v), 1.0),
        r"the output of .*\['y'\]",
    )
    yield (
        "check_units, returns",
        lambda v: uj.check_units(square, 1.0, returns={"y": v}),
        r"returns\['y'\]",
    )
    yield "matrix, units", lambda v: matrix().to(rows=[v]), "a unit"
    yield "assert_close, actual", lambda v: assert_close({"a": v}, {"a": v}), r"actual\['a'\]"
    yield "assert_close, expected", lambda v: assert_close({"a": 1.0}, {"a": v}), r"expected\['a'\]"
    yield "check_jacobian", lambda v: check_jacobian(square, (v,)), "argument 0"
    yield (
        "check_jacobian, output",
        lambda v: check_jacobian(returns(v), (1.0,)),
        r"output\['y'\] of ",
    )
    yield "optim, typical", lambda v: scale_by_units(adam(), {"a": v}), r"typical\['a'\]"
    yield "optim, loss", lambda v: scale_by_units(adam(), {"a": 1.0}, loss=v), "loss"
    yield (
        "optim, params",
        lambda v: scale_by_units(adam(), {"a": 1.0}).init({"a": v}),
        r"params\['a'\]",
    )


def adam():
    return pytest.importorskip("optax").adam(0.1)


DOORS = {name: (enter, place) for name, enter, place in doors()}


@pytest.mark.parametrize("door", DOORS)
def test_refused_by_library_place_and_what_to_type(door):
    enter, place = DOORS[door]
    for name, (make, text) in FOREIGN.items():
        with pytest.raises(TypeError) as error:
            enter(make())
        assert error.match(rf"^{place}.* is {text}"), name
        assert error.match(r"unitjac\.interop\.to_brainunit"), name


# Arguments that are not differentiated, keywords, states of other libraries

HELD = {name: made for name, made in FOREIGN.items() if name not in ARE_TREES}


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
@pytest.mark.parametrize("transform", TRANSFORMS)
def test_what_is_no_tree_to_jax_is_refused_where_it_is_not_differentiated(transform, jit):
    # tracer * array of astropy is a tracer, and the unit is gone
    jac = TRANSFORMS[transform](lambda x, g=1.0: x * g, jit=jit)
    for make, text in HELD.values():
        with pytest.raises(TypeError, match=rf"^argument 1\[0\] is {text}.*to_brainunit"):
            jac(1.0, [make()])
        with pytest.raises(TypeError, match=rf"^argument 'g' is {text}.*to_brainunit"):
            jac(1.0, g=make())


@pytest.mark.parametrize("product", ["vjp", "linearize", "linear_transpose"])
def test_keywords_of_products(product):
    with pytest.raises(TypeError, match=r"^argument 'g' is a Quantity of astropy in mV"):
        getattr(uj, product)(lambda x, g: x * g, 1.0, kwargs={"g": 2.0 * units.mV})


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_a_tree_passes_where_it_is_not_differentiated(jit):
    def current(V, R):
        return V / to_brainunit(R)

    block = uj.jacrev(current, unit_aware=True, jit=jit)(3.0 * u.mV, unxt.Quantity(2.0, "kOhm"))
    assert float(block.to_decimal(u.siemens)) == pytest.approx(0.5e-3)


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_units_and_registries_are_objects_like_any_other(jit):
    for held in (units.mV, registry.mV, registry, units.Unit("mag(ct)"), "mV"):
        assert uj.jacrev(lambda x, held: x * 2, jit=jit)(1.0, held) == 2.0


def test_an_array_that_may_have_a_unit_and_has_none_is_an_array():
    plain = array_of(ArrayWithUnits, [1.0, 2.0], None)
    np.testing.assert_array_equal(uj.vector_grad(square)(plain), [2.0, 4.0])
    column = pytest.importorskip("astropy.table").Column
    np.testing.assert_array_equal(uj.vector_grad(square)(column([1.0, 2.0])), [2.0, 4.0])
    with pytest.raises(TypeError, match=r"^argument 0 is a Column of astropy in mV"):
        uj.vector_grad(square)(column([1.0, 2.0], unit="mV"))


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_states_of_brainstate(jit):
    brainstate = pytest.importorskip("brainstate")
    held, state = brainstate.State(jnp.asarray(1.0)), brainstate.State(jnp.asarray(2.0))
    jac = uj.jacrev(lambda x: state.value * held.value * x, grad_states=state, jit=jit)
    assert jac(3.0) == 3.0
    for other, where in ((state, "grad_states is|State"), (held, "State")):
        before = other.value
        other.value = 2.0 * units.mV
        with pytest.raises(TypeError, match=rf"^({where}).* a Quantity of astropy in mV"):
            jac(3.0)
        other.value = before
    assert jac(3.0) == 3.0


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_variables_of_flax_with_quantities_of_brainunit_are_none_of_another_library(jit):
    nnx = pytest.importorskip("flax.nnx")
    w = nnx.Param(q(3.0, u.mV))
    jac = uj.jacrev(lambda x: w.get_value() * x, grad_states=w, unit_aware=True, jit=jit)
    assert jac(2.0) == 2.0
    w.set_value(unxt.Quantity(3.0, "mV"))
    with pytest.raises(TypeError, match=r"^grad_states is a (Bare)?Quantity of unxt in mV"):
        jac(2.0)


def test_a_state_keeps_its_value_where_one_is_refused():
    state = uj.State(q(1.0, u.mV))

    def write(x):
        state.value = unxt.Quantity(x, "mV")
        return x

    with pytest.raises(TypeError, match=r"^State\.value is a (Bare)?Quantity of unxt in mV"):
        uj.jacrev(write)(1.0)
    assert state.value == q(1.0, u.mV)


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_aux_may_be_of_another_library(jit):
    for make, _ in FOREIGN.values():
        held = make()
        _, aux = uj.jacrev(lambda x, held=held: (x, held), has_aux=True, jit=jit)(1.0)
        assert type(aux) is type(held)
        assert str(getattr(aux, "unit", None)) == str(getattr(held, "unit", None))


# to_brainunit


def test_a_mask_is_refused():
    with pytest.raises(
        TypeError, match=r"^tree\['V'\] is a MaskedQ.* with a mask.* Fill it before"
    ):
        to_brainunit({"V": masked()})


def test_a_magnitude_that_is_no_array_is_refused():
    half = registry.Quantity(Fraction(1, 2), "mV")
    with pytest.raises(TypeError, match=r"^tree is a Quan.* whose magnitude is a Fraction.*float"):
        to_brainunit(half)


def test_what_to_brainunit_does_not_read_is_refused():
    given = {
        "a Measurement of pint in millivolt": measured(),
        "a TreeQuantity of .* in mV": TreeQuantity(),
        "a Quantity of quantities in mV": FOREIGN["quantities"][0](),
        "a Column of astropy in mV": pytest.importorskip("astropy.table").Column([1.0], unit="mV"),
    }
    for text, value in given.items():
        with pytest.raises(TypeError, match=rf"^tree\[0\] is {text}, and to_brainunit reads the p"):
            to_brainunit([value])


# Reports of others, as they are after the way that the messages name


def test_a_length_in_parsecs_is_not_taken_for_one_in_kiloparsecs():
    """galpy 1303: under jit a quantity of astropy was its number, 68 per cent off."""

    def dispersion(r):
        return u.math.exp(-r / (1.0 * u.parse_unit("m") * 3.0856775814913673e19))

    far = 100.0 * units.pc
    for jit in (False, True):
        jac = uj.jacrev(dispersion, unit_aware=True, jit=jit)
        with pytest.raises(TypeError, match=r"^argument 0 is a Quantity of astropy in pc"):
            jac(far)
        block = jac(to_brainunit(far))
        kpc = 3.0856775814913673e19 * u.meter
        assert float(block * kpc) == pytest.approx(-np.exp(-0.1), rel=1e-5)


@pytest.mark.parametrize("unit", ["m", "cm", "km"])
def test_the_gradient_of_a_cube_in_any_unit(unit):
    """unxt 696: at 100 cm it was in cm^3 / m, and three times a hundredth."""
    x = to_brainunit(unxt.Quantity(1.0, "m").uconvert(unit))
    slope = uj.grad(lambda x: x**3, unit_aware=True)(x)
    assert float(slope.to_decimal(u.meter**2)) == pytest.approx(3.0)


def test_a_quotient_by_one_of_its_arguments():
    """unxt 241: by the time, the gradient of a length over a time was an error of units."""
    x, t = to_brainunit((unxt.Quantity(15.0, "m"), unxt.Quantity(2.0, "s")))
    slope = uj.grad(lambda x, t: x / t, argnums=1, unit_aware=True)(x, t)
    assert float(slope.to_decimal(u.meter / u.second**2)) == pytest.approx(-3.75)


def test_rows_of_angles_are_in_radians():
    """coordinax 883: an angle in degrees gave rows that were 57 times too small."""

    def polar(p):
        return {"r": u.math.sqrt(p["x"] ** 2 + p["y"] ** 2), "phi": u.math.arctan(p["y"] / p["x"])}

    point = to_brainunit({"x": 1.0 * units.m, "y": 200.0 * units.cm})
    rows = uj.jacrev(polar, unit_aware=True)(point)
    found = [float(rows["phi"][k].to_decimal(u.meter**-1)) for k in ("x", "y")]
    assert found == pytest.approx([-0.4, 0.2])
    by_angle = uj.grad(lambda a: u.math.sin(a), unit_aware=True)(to_brainunit(60.0 * units.deg))
    assert float(by_angle) == pytest.approx(0.5)
