"""What JAX does, done as well: containers, symbolic sizes, what has no batching rule, flags."""

import brainunit as u
import jax
import jax.export
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import assert_physically_equal, q

import unitjac
import unitjac.testing


@jax.tree_util.register_pytree_with_keys_class
class Measured:
    """A container that looks at what it is made of, as those of many libraries do."""

    def __init__(self, values, weight):
        self.n = values.shape[0]
        self.values, self.weight = values, weight

    def tree_flatten_with_keys(self):
        key = jax.tree_util.GetAttrKey
        return ((key("values"), self.values), (key("weight"), self.weight)), None

    @classmethod
    def tree_unflatten(cls, _, children):
        return cls(*children)


def test_no_container_is_made_of_stand_ins():
    """Neither where labels are made, nor in plans, nor in messages."""
    m = Measured(jnp.arange(3.0) * u.mV, jnp.arange(2.0) * u.nS)

    def fun(m):
        return Measured(m.values**2, m.weight * m.values.sum())

    for jit in (False, True):
        for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian):
            J = make(lambda m: [fun(m).values], unit_aware=True, jit=jit)(m)[0]
            assert_physically_equal(J.values, q(np.diag([0.0, 2.0, 4.0]), u.mV))
            J = make(lambda x: Measured(x * m.values, x * m.weight), unit_aware=True, jit=jit)(2.0)
            assert_physically_equal(J.weight, m.weight)
        g = unitjac.vector_grad(lambda m: m.values, unit_aware=True, jit=jit)(m)
        np.testing.assert_array_equal(g.values, jnp.ones(3))
    plan = unitjac.jacrev(fun, unit_aware=True).plan(m)
    assert [b.output for b in plan.blocks[1:3]] == ["output.values", "output.weight"]
    assert plan.inputs[1].label == "argument 0.weight"
    plan = unitjac.hessian(lambda m: (m.values**2).sum(), unit_aware=True).plan(m)
    assert plan.blocks[1].input == "argument 0.values, argument 0.weight"
    state = unitjac.State(m, name="m")
    assert unitjac.jacrev(lambda: state.value.values, grad_states=state, unit_aware=True)().n == 3
    _, pull = unitjac.vjp(fun, m)
    with pytest.raises(ValueError, match=r"cotangent of output\.weight of .* is in 1, which"):
        pull(Measured(jnp.ones(3), jnp.ones(3)))
    with pytest.raises(ValueError, match=r"the tangent of argument 0\.weight is in mV, but"):
        unitjac.jvp(fun, (m,), (Measured(m.values, m.weight / u.nS * u.mV),))
    unitjac.testing.assert_close(m, Measured(m.values.in_unit(u.volt), m.weight))
    with pytest.raises(AssertionError, match=r"leaf\.weight"):
        unitjac.testing.assert_close(m, Measured(m.values, 2 * m.weight))


def test_units_and_blocks_stand_in_no_container_that_looks_for_arrays():
    m = Measured(jnp.arange(3.0) * u.mV, jnp.arange(2.0) * u.nS)
    units = {"m/values": u.mV, "m/weight": u.nS}
    assert unitjac.check_units(lambda m: {"m": m}, m) == units
    assert unitjac.check_units(lambda m: {"m": m}, m, returns=units) == units
    with pytest.raises(ValueError, match=r"output\['m'\]\.weight of .* is in nS, but returns says"):
        unitjac.check_units(lambda m: {"m": m}, m, returns=units | {"m/weight": "mV"})
    with pytest.raises(ValueError, match="Name one unit for each output"):
        unitjac.check_units(lambda m: {"m": m}, m, returns={"m/values": "mV"})
    alike = unitjac.check_units(lambda m: {"a": {"b": m}, "a/b": m}, m)
    assert alike["['a']['b'].values"] == alike["['a/b'].values"] == u.mV

    A = unitjac.linalg.jacobian_matrix(lambda p: {"y": p["x"] ** 2})({"x": m.values})
    in_volts, rest = A.to(rows="V * mV"), jnp.ones(2)
    unitjac.testing.assert_close(Measured(in_volts, rest), Measured(A, rest))
    with pytest.raises(AssertionError, match=r"leaf\.values\['y'\]\['x'\]\[1, 1\]: 4 mV"):
        unitjac.testing.assert_close(Measured(A + A.to(), rest), Measured(A, rest))
    with pytest.raises(AssertionError, match=r"the trees differ at leaf\.values: "):
        unitjac.testing.assert_close(Measured(rest, rest), Measured(A, rest))


# JAX's flags of promotion


@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_promotion_that_is_forbidden_to_users_is_not_done_for_them(jit):
    """Leaves of several dtypes, scales, chunks, very many blocks; what fun does is its own."""
    x = {"a": jnp.arange(1.0, 4.0) * u.mV, "b": jnp.asarray([2.0, 1.0], jnp.float16)}

    def fun(x):
        return {"a": x["a"].in_unit(u.volt), "b": x["b"] * x["b"]}

    expected = unitjac.jacrev(fun, unit_aware=True)(x)
    many = [jnp.arange(2.0) * u.mV] * 16
    with jax.numpy_rank_promotion("raise"), jax.numpy_dtype_promotion("strict"):
        for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian):
            for chunk in (None, 2):
                jac = make(fun, unit_aware=True, chunk_size=chunk, jit=jit)
                assert_physically_equal(jac(x), expected)
        blocks = unitjac.jacrev(
            lambda xs: [v.in_unit(u.volt) for v in xs], unit_aware=True, jit=jit
        )(many)
        assert_physically_equal(blocks[3][3], jnp.eye(2))
        grad = unitjac.vector_grad(lambda v: (v * v, v * u.volt), unit_aware=True, jit=jit)
        assert_physically_equal(grad(q([1.0, 2.0], u.mV)), q([1002.0, 1004.0], u.mV))
        second = unitjac.hessian(lambda v: (v**3).sum() / u.volt**3, unit_aware=True, jit=jit)
        found = second(q([1.0, 2.0], u.mV))
        assert_physically_equal(found, q(np.diag([6.0, 12.0]), u.mV / u.volt**3))
        z = q(2.0 + 1.0j, u.mV, "complex64")
        holomorphic = unitjac.jacrev(lambda z: z.in_unit(u.volt), holomorphic=True, unit_aware=True)
        assert_physically_equal(holomorphic(z), jnp.asarray(1.0 + 0.0j))


# Sizes that are symbols


def exported(fun, x, count=1):
    """``fun`` exported for every size, and called with ``x``."""
    (size,) = jax.export.symbolic_shape("n")
    like = jax.ShapeDtypeStruct((size,), x.dtype)
    return jax.export.export(jax.jit(fun))(*[like] * count).call(*[x] * count)


def test_sizes_may_be_symbols_in_every_transform():
    x = jnp.arange(1.0, 6.0)

    def fun(x):
        V = x * u.mV
        return {"a": (V**2).in_unit(u.volt * u.mV), "b": V.sum() * jnp.ones(3)}

    for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.jacobian):
        for options in ({}, {"chunk_size": 2}, {"jit": True}):
            jac = make(fun, unit_aware=True, **options)
            found = exported(lambda x, jac=jac: u.get_mantissa(jac(x)["b"]), x)
            np.testing.assert_array_equal(found, np.ones((3, 5)))
    scaled = unitjac.jacrev(lambda V: V.in_unit(u.volt), unit_aware=True)
    np.testing.assert_allclose(exported(lambda x: scaled(x * u.mV), x), np.eye(5), rtol=1e-6)
    second = unitjac.hessian(lambda x: (x**3).sum())
    np.testing.assert_allclose(exported(second, x), np.diag(6 * x), rtol=1e-6)
    for first in (unitjac.grad(lambda x: (x**2).sum()), unitjac.vector_grad(lambda x: x**2)):
        np.testing.assert_array_equal(exported(first, x), 2 * x)
    products = (
        lambda x, dx: unitjac.vjp(lambda x: x**2, x)[1](dx),
        lambda x, dx: unitjac.jvp(lambda x: x**2, (x,), (dx,))[1],
        lambda x, dx: unitjac.linearize(lambda x: x**2, x)[1](dx),
        lambda x, dx: unitjac.linear_transpose(lambda y: 2 * x * y, x)(dx),
    )
    for product in products:
        np.testing.assert_array_equal(exported(product, x, 2), 2 * x**2)


# What has no batching rule

A = np.arange(6.0, dtype=np.float32).reshape(2, 3)


def by_callback(matrix, x):
    like = jax.ShapeDtypeStruct(matrix.shape[:1], x.dtype)
    return jax.pure_callback(lambda v: matrix @ np.asarray(v), like, x)


@jax.custom_jvp
def pushed_outside(x):
    """A product that another program computes, and that knows no vmap."""
    return by_callback(A, x)


pushed_outside.defjvp(lambda x, dx: (pushed_outside(*x), pushed_outside(*dx)))


@jax.custom_vjp
def pulled_outside(x):
    return by_callback(A, x)


pulled_outside.defvjp(lambda x: (by_callback(A, x), None), lambda _, ct: (by_callback(A.T, ct),))

OUTSIDE = {
    "jacfwd": (unitjac.jacfwd, pushed_outside),
    "jacobian": (lambda f, **o: unitjac.jacobian(f, mode="fwd", **o), pushed_outside),
    "jacrev": (unitjac.jacrev, pulled_outside),
}


@pytest.mark.parametrize("name", OUTSIDE)
def test_what_has_no_batching_rule_is_swept_one_by_one(name):
    make, fun = OUTSIDE[name]
    x = jnp.arange(3.0)
    for jit in (False, True):
        np.testing.assert_array_equal(make(fun, chunk_size=1, jit=jit)(x), A)
    for chunk in ("auto", None, 2):
        with pytest.raises(NotImplementedError, match="vmap") as caught:
            make(fun, chunk_size=chunk)(x)
        assert any("chunk_size=1 sweeps them one by one" in n for n in caught.value.__notes__)


def test_second_derivatives_of_what_has_no_batching_rule():
    energy = lambda x: (pushed_outside(x) ** 2).sum()  # noqa: E731
    second = unitjac.hessian(energy, mode="fwd-over-fwd", chunk_size=1)
    np.testing.assert_allclose(second(jnp.arange(3.0)), 2 * A.T @ A, rtol=1e-6)
    one = unitjac.jacrev(lambda x: pulled_outside(x).sum(), chunk_size=1)(jnp.arange(3.0))
    np.testing.assert_array_equal(one, A.sum(axis=0))


def test_callable_whose_equality_gives_an_array_is_static():
    class Kernel:
        def __init__(self):
            self.weights = np.ones(2)

        def __call__(self, x):
            return self.weights.sum() * x

        def __eq__(self, other):
            return self.weights == other.weights

        def __hash__(self):
            return 1

    jac = unitjac.jacrev(lambda x, kernel: kernel(x), jit=True)
    assert [float(jac(1.0, Kernel())) for _ in range(2)] == [2.0, 2.0]


def test_half_precision_is_scaled_in_single_and_the_magnitude_is_that_of_jax():
    x = q(1.0, u.uvolt, "float16")
    found = unitjac.jacrev(lambda x: x.in_unit(u.mV), unit_aware=True)(x)
    assert_physically_equal(found, jnp.asarray(1.0, jnp.float16))
    for make in (unitjac.jacrev, unitjac.jacfwd, unitjac.grad):  # as the page of architecture says
        large = make(lambda x: u.Quantity(x.mantissa * 1e6, unit=u.uvolt), unit_aware=True)
        assert np.isinf(large(q(1.0, u.volt, "float16")))
        assert_physically_equal(large(q(1.0, u.volt)), jnp.asarray(1.0))  # "or in float32"
