"""States that are read inside functions that JAX traces by itself, and whose programs it keeps.

Each inner function here is made once and called often, so that JAX finds its program again: what
that program holds of the first call must not come back in the second. All expectations are closed
forms in the value that the state has now.
"""

import brainunit as u
import jax
import jax.numpy as jnp
import pytest
from helpers import Counter, assert_same, eager_and_compiled, q
from jax import lax

import unitjac
from unitjac import State, jacfwd, jacobian, jacrev
from unitjac._states.remembered import Memory
from unitjac.testing import check_jacobian


def scanned(times_k):
    def body(c, _):
        return c, times_k(c)

    return lambda x: lax.scan(body, x, None, length=1)[1][0]


def mapped(times_k):
    return lambda x: jax.vmap(times_k)(x[None])[0]


def on_condition(times_k):
    return lambda x: lax.cond(x > 0 * u.mV, times_k, times_k, x)


def looped(times_k):
    def body(carry):
        return carry[0] + 1, carry[1], times_k(carry[1])

    def first(carry):
        return carry[0] < 1

    return lambda x: lax.while_loop(first, body, (0, x, 0 * x * u.nS))[2]


INNER = {
    "jit": jax.jit,
    "scan": scanned,
    "cond": on_condition,
    "checkpoint": jax.checkpoint,
    "vmap": mapped,
}
every_inner = pytest.mark.parametrize("make", INNER.values(), ids=INNER)


@pytest.fixture
def k():
    """A conductance."""
    return State(q(2.0, u.nS), name="k")


def of(make, k):
    """A function of a voltage that reads ``k`` inside of what JAX traces by itself."""
    return make(lambda x: x * k.value)


@every_inner
@eager_and_compiled
def test_each_call_sees_the_state_as_it_is(make, jit, k):
    fun = of(make, k)
    jac = jacrev(fun, grad_states=k, argnums=0, unit_aware=True, jit=jit)
    for number, at in [(2.0, 3.0), (2.0, 4.0), (5.0, 4.0)]:
        k.value = q(number, u.nS)
        assert_same(jac(q(at, u.mV)), (q(at, u.mV), q(number, u.nS)))
        fun(q(3.0, u.mV))  # what is plainly computed meets no tracer


@eager_and_compiled
def test_a_loop_in_forward_mode(jit, k):
    jac = jacfwd(of(looped, k), grad_states=k, argnums=0, unit_aware=True, jit=jit)
    for number, at in [(2.0, 3.0), (5.0, 4.0)]:
        k.value = q(number, u.nS)
        assert_same(jac(q(at, u.mV)), (q(at, u.mV), q(number, u.nS)))


@every_inner
@eager_and_compiled
def test_after_the_function_itself_was_called(make, jit, k):
    """What was plainly computed is remembered with the state's value as a constant."""
    inner = of(make, k)

    def fun(x):
        return inner(x) * (k.value / u.nS)  # x k^2: half of the slope could go unnoticed

    fun(q(3.0, u.mV))
    for transform in (jacrev, jacfwd, jacobian):
        jac = transform(fun, grad_states=k, unit_aware=True, jit=jit)
        for at in (3.0, 4.0):
            assert_same(jac(q(at, u.mV)), q(4.0 * at, u.mV))


@every_inner
@eager_and_compiled
def test_a_state_that_is_not_differentiated(make, jit, k):
    jac = jacrev(of(make, k), unit_aware=True, jit=jit)
    for number in (2.0, 5.0, 7.0):
        k.value = q(number, u.nS)
        assert_same(jac(q(3.0, u.mV)), q(number, u.nS))


@every_inner
def test_a_state_that_was_not_differentiated_before(make, k):
    """The program of another transform has its value as a constant."""
    inner = of(make, k)
    assert_same(jacrev(lambda x: inner(x), unit_aware=True)(q(3.0, u.mV)), q(2.0, u.nS))
    jac = jacrev(lambda x: inner(x) * (k.value / u.nS), grad_states=k, unit_aware=True)
    assert_same(jac(q(3.0, u.mV)), q(12.0, u.mV))
    k.value = q(5.0, u.nS)
    assert_same(jacrev(lambda x: inner(x), unit_aware=True)(q(3.0, u.mV)), q(5.0, u.nS))


@every_inner
def test_written_by_the_function_before_it_is_read_inside(make, k):
    inner = of(make, k)

    def fun(x):
        k.value = k.value * (x / (1.0 * u.mV))
        return inner(x)  # k x^2

    jac = jacrev(fun, unit_aware=True)
    assert_same(jac(q(3.0, u.mV)), q(12.0, u.nS))  # 2 k x
    assert_same(k.value, q(6.0, u.nS))
    assert_same(jac(q(3.0, u.mV)), q(36.0, u.nS))


@every_inner
def test_plans_products_and_second_derivatives(make, k):
    inner = of(make, k)
    jacrev(inner, grad_states=k).plan(q(3.0, u.mV))
    second = unitjac.hessian(inner, grad_states=k, argnums=0, unit_aware=True)
    for at in (3.0, 4.0):
        x = q(at, u.mV)
        assert_same(unitjac.vjp(inner, x, grad_states=k, argnums=None)[1](1.0), x)
        along = unitjac.jvp(inner, (x,), (q(0.5, u.mV),), grad_states=k, state_tangents=k.value)
        assert_same(along[1], q(2.0 * at + 1.0, u.pA))
        (_, kx), (xk, _) = second(x)
        assert_same((kx, xk), (jnp.float32(1.0), jnp.float32(1.0)))


def test_a_function_that_goes_several_ways(k):
    """What one way has left behind is noticed on another one's third call."""
    inner = of(scanned, k)

    def fun(x, kind):
        return inner(x) if kind == "inner" else x * k.value

    jac = jacrev(fun, argnums=0, unit_aware=True)
    for number in (2.0, 5.0, 7.0):
        k.value = q(number, u.nS)
        for kind in ("plain", "inner", "inner", "plain"):
            assert_same(jac(q(3.0, u.mV), kind), q(number, u.nS))


def test_a_transform_inside_of_a_scan(k):
    slope = jacrev(lambda x: x * k.value, grad_states=k, unit_aware=True)

    def body(c, x):
        return c + slope(x) * (k.value / u.nS), None

    def fun(xs):
        return lax.scan(body, q(0.0, u.mV), xs)[0]

    jac = jacrev(fun, grad_states=k, unit_aware=True)
    for xs in ([1.0, 2.0], [3.0, 4.0]):
        assert_same(jac(q(xs, u.mV)), q(sum(xs), u.mV / u.nS))


@eager_and_compiled
def test_a_transform_that_is_made_inside(jit, k):
    """Nothing is known of it but what the function around it notices."""
    inner = of(jax.jit, k)

    def fun(x):
        return x * jacrev(lambda y: inner(y), unit_aware=True)(x)

    jac = jacrev(fun, unit_aware=True, jit=jit)
    for number in (2.0, 5.0, 7.0):
        k.value = q(number, u.nS)
        assert_same(jac(q(3.0, u.mV)), q(number, u.nS))


def test_the_check_of_a_jacobian(k):
    fun = of(scanned, k)
    for _ in range(2):
        check_jacobian(fun, (q(3.0, u.mV),), grad_states=k, argnums=0)


# What it costs


@eager_and_compiled
def test_a_function_that_is_made_anew_is_called_once(jit, k):
    fun = Counter(lambda x: of(scanned, k)(x))
    jac = jacrev(fun, grad_states=k, unit_aware=True, jit=jit)
    for calls, at in enumerate((3.0, 4.0, 5.0), start=1):
        assert_same(jac(q(at, u.mV)), q(at, u.mV))
        assert fun.calls == (1 if jit else calls)


def test_a_function_that_is_remembered_is_called_once(k):
    fun = Counter(of(scanned, k))
    jac = jacrev(fun, grad_states=k, unit_aware=True)
    for calls, at in enumerate((3.0, 4.0, 5.0, 6.0), start=1):
        assert_same(jac(q(at, u.mV)), q(at, u.mV))
        assert fun.calls == calls


def test_programs_that_read_a_state_are_remembered_while_it_stays_as_it_is(k):
    inner = Counter(lambda x: x * k.value)
    compiled = jax.jit(inner)
    fun = lambda x: compiled(x)  # noqa: E731
    for number, calls in [(2.0, 1), (2.0, 1), (5.0, 2), (5.0, 2)]:
        k.value = k.value if float(k.value.mantissa) == number else q(number, u.nS)
        assert_same(jacrev(fun, unit_aware=True)(q(3.0, u.mV)), q(number, u.nS))
        assert inner.calls == calls


def test_programs_without_states_are_remembered(k):
    """The usual case: an inner function that reads no state is traced once for all calls."""
    inner = Counter(lambda x: x**2)
    compiled = jax.jit(inner)
    for _ in range(2):
        jac = jacrev(lambda x: k.value * compiled(x), grad_states=k, unit_aware=True)
        for at in (3.0, 4.0):
            assert_same(jac(q(at, u.mV)), q(at**2, u.mV**2))
    assert inner.calls == 1


def test_what_is_read_under_vmap_is_not_remembered(k):
    plain, kept = (lambda x: x * k.value), of(jax.jit, k)
    for fun, has_read in [(plain, False), (kept, True)]:
        jac = jacrev(fun, grad_states=k, unit_aware=True)
        for xs in ([1.0, 2.0], [3.0, 4.0]):
            assert_same(jax.vmap(jac)(q(xs, u.mV)), q(xs, u.mV))
        assert Memory.of(fun).has_read == has_read


def test_one_way_of_a_function_after_another_one_was_called(k):
    inner = of(jax.jit, k)
    several = lambda x, kind: inner(x) if kind == "inner" else x * k.value  # noqa: E731
    jac = jacrev(several, argnums=0, unit_aware=True)
    assert_same(jac(q(3.0, u.mV), "plain"), q(2.0, u.nS))
    assert_same(jacrev(lambda x: inner(x), unit_aware=True)(q(3.0, u.mV)), q(2.0, u.nS))
    k.value = q(5.0, u.nS)
    assert_same(jac(q(3.0, u.mV), "inner"), q(5.0, u.nS))


@eager_and_compiled
def test_written_between_two_calls_of_one_program(jit, k):
    inner = of(jax.jit, k)

    def fun(x):
        before = inner(x)
        k.value = k.value * 3.0
        return before + inner(x)

    jac = jacrev(fun, grad_states=k, argnums=0, unit_aware=True, jit=jit)
    for number in (2.0, 6.0):
        assert_same(jac(q(5.0, u.mV)), (q(20.0, u.mV), q(4.0 * number, u.nS)))


def test_leaks_stay_errors(k):
    kept = []

    def fun(x):
        kept.append(x)
        return x * kept[0]

    jac = jacrev(fun)
    jac(jnp.float32(3.0))
    with pytest.raises(jax.errors.UnexpectedTracerError):
        jac(jnp.float32(3.0))
