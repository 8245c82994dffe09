"""What is the same for the whole family: states, faults, leaks, threads, copies, arguments."""

import copy
import operator
import pickle
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import reduce
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    Counter,
    assert_same,
    each,
    holds_tracer,
    is_quantity,
    q,
    unchanged,
)
from jax import lax

from unitjac import (
    State,
    check_units,
    grad,
    hessian,
    jvp,
    linear_transpose,
    linearize,
    value_and_grad,
    vector_grad,
    vjp,
)

# The members, each as a function of (fun, *args) that differentiates by a state and by argument 0


@dataclass(frozen=True)
class Derivatives:
    """The derivatives of a scalar function by hand: by the state and by ``x``, or by ``x`` alone.

    ``ones`` are a one in the unit of each: a tangent, along which the products push.
    """

    first: Any
    second: Any
    ones: Any

    @property
    def along_ones(self) -> Any:
        return reduce(operator.add, jax.tree.leaves(self._products(), is_leaf=is_quantity))

    def _products(self) -> Any:
        return jax.tree.map(operator.mul, self.first, self.ones, is_leaf=is_quantity)


@dataclass(frozen=True)
class Member:
    name: str
    derive: Callable[..., Any]
    expected: Callable[[Derivatives], Any]
    make: Any = None  # for a transform: what makes it

    def __call__(self, fun: Callable[..., Any], *args: Any, **options: Any) -> Any:
        return self.derive(fun, *args, **options)


def transform(make: Any, pick: Callable[[Any], Any] = lambda found: found) -> Callable[..., Any]:
    def derive(fun: Any, *args: Any, state: Any = None, kwargs: Any = None, **options: Any) -> Any:
        made = make(fun, grad_states=state, argnums=0, unit_aware=True, **options)
        return pick(made(*args, **(kwargs or {})))

    return derive


def ones_of(tree: Any) -> Any:
    values = jax.tree.map(lambda x: x.value if isinstance(x, State) else x, tree)
    return jax.tree.map(jnp.ones_like, values)


def pulled(fun: Any, *args: Any, state: Any = None, **options: Any) -> Any:
    value, pull, *_ = vjp(fun, *args, grad_states=state, argnums=0, **options)
    return pull(jax.tree.map(u.get_mantissa, ones_of(value), is_leaf=is_quantity))


def linearized(fun: Any, x: Any, *rest: Any, state: Any = None, **options: Any) -> Any:
    ones = ones_of(x) if state is None else ones_of((state, x))
    _, push, *_ = linearize(fun, x, *rest, grad_states=state, argnums=0, **options)
    return push(ones)


def pushed(fun: Any, x: Any, *rest: Any, state: Any = None, **options: Any) -> Any:
    if state is not None:
        options = {"grad_states": state, "state_tangents": ones_of(state), **options}
    return jvp(fun, (x, *rest), (ones_of(x), *(None,) * len(rest)), **options)[1]


first, second = operator.attrgetter("first"), operator.attrgetter("second")
along = operator.attrgetter("along_ones")
TRANSFORMS = (
    Member("grad", transform(grad), first, grad),
    Member("value_and_grad", transform(value_and_grad, lambda r: r[1]), first, value_and_grad),
    Member("vector_grad", transform(vector_grad), first, vector_grad),
    Member("hessian", transform(hessian), second, hessian),
)
PRODUCTS = (
    Member("vjp", pulled, first),
    Member("linearize", linearized, along),
    Member("jvp", pushed, along),
)
MEMBERS = TRANSFORMS + PRODUCTS
each_member = each("member", MEMBERS)
each_maker = each("member", TRANSFORMS)
each_way = pytest.mark.parametrize(
    ("member", "options"),
    [
        *(pytest.param(m, {}, id=m.name) for m in MEMBERS),
        *(pytest.param(m, {"jit": True}, id=f"{m.name}-compiled") for m in TRANSFORMS),
    ],
)

# A function that reads, writes and can go wrong, and its derivatives by hand

POWER = u.uS**2 * u.mV**2


@dataclass
class Cell:
    """(g V)^2 of a conductance, which doubles at each call, and a count of the calls."""

    fail: Callable[[], Any] = lambda: None
    position: str = "nowhere"
    g: State = field(default_factory=lambda: State(q(2.0, u.uS), name="g"))
    count: State = field(default_factory=lambda: State(jnp.asarray(0), name="count"))

    @property
    def states(self):
        return self.g, self.count

    def at(self, position):
        if position == self.position:
            self.fail()

    def power(self, V, *rest, **kwargs):
        self.at("before a read")
        g = self.g.value
        self.at("after a read")
        self.g.value = g * 2.0
        self.at("after a write")
        self.count.value = self.count.value + 1
        self.at("after another write")
        return (g * V) ** 2

    def read_only(self, V):
        return (self.g.value * V) ** 2

    def kept_power(self, V):
        self.g.value = self.g.value * V / V
        return self.read_only(V)


def by_hand(g, V):
    """The derivatives of (g V)^2, in uS and mV."""
    per_g, per_V = POWER / u.uS, POWER / u.mV
    return Derivatives(
        (q(2 * g * V**2, per_g), q(2 * g**2 * V, per_V)),
        (
            (q(2 * V**2, per_g / u.uS), q(4 * g * V, per_g / u.mV)),
            (q(4 * g * V, per_V / u.uS), q(2 * g**2, per_V / u.mV)),
        ),
        (q(1.0, u.uS), q(1.0, u.mV)),
    )


# States


@each_way
def test_state_is_differentiated_where_it_stood_and_written_once(member, options):
    cell = Cell()
    for k in range(1, 4):
        found = member(cell.power, q(3.0, u.mV), state=cell.g, **options)
        assert_same(found, member.expected(by_hand(2.0**k, 3.0)))
        assert_same(cell.g.value, q(2.0 ** (k + 1), u.uS))
        assert cell.count.value == k
        assert not holds_tracer(*cell.states)


@each_maker
def test_compiled_program_follows_shape_dtype_tree_and_unit_of_a_state(member):
    s = State(q(3.0, u.mV), name="s")

    @Counter
    def fun(x):
        return sum(u.math.sum(v) * x for v in jax.tree.leaves(s.value, is_leaf=is_quantity))

    made = member.make(fun, grad_states=s, argnums=0, unit_aware=True, jit=True)
    values = (
        q(4.0, u.volt),
        q([1.0, 2.0], u.volt),
        q([1.0, 2.0], u.volt, "float16"),
        jnp.asarray(5.0),
        [q(3.0, u.ms), q(2.0, u.ms)],
    )
    for traces, value in enumerate((s.value, *values), start=1):
        s.value = value
        eager = member.make(fun.fun, grad_states=s, argnums=0, unit_aware=True)(2.0)
        assert_same(made(2.0), eager)
        assert_same(made(2.0), eager)
        assert fun.calls == traces


@each_way
def test_unused_state_is_an_error_and_with_leave_a_zero(member, options):
    other = State(q(2.0, u.ms), name="other")
    square = lambda x: x**2  # noqa: E731
    text = r"grad_states \(State\(other: 2 ms\)\): .*<lambda> never reads it"
    with pytest.raises(ValueError, match=text):
        member(square, q(3.0, u.mV), state=other, **options)
    found = member(square, q(3.0, u.mV), state=other, check_states=False, **options)
    zero = q(0.0, u.mV**2 / u.ms)
    curvature = ((zero / u.ms, zero / u.mV), (zero / u.mV, jnp.asarray(2.0)))
    expected = Derivatives((zero, q(6.0, u.mV)), curvature, (q(1.0, u.ms), q(1.0, u.mV)))
    assert_same(found, member.expected(expected))


@each_way
def test_state_passed_as_an_argument_and_state_created_inside(member, options):
    def fun(x, state):
        inner = State(x, name="inner")
        inner.value = inner.value**2
        state.value = state.value + q(1.0, u.uS)
        return inner.value * state.value

    for g in (State(q(1.0, u.uS), name="a"), State(q(4.0, u.uS), name="b")):
        expected = float(g.value.mantissa) + 1.0
        found = member(fun, q(3.0, u.mV), g, **options)
        W = u.mV**2 * u.uS
        slope, curve = q(6.0 * expected, W / u.mV), q(2.0 * expected, W / u.mV / u.mV)
        assert_same(found, member.expected(Derivatives(slope, curve, q(1.0, u.mV))))
        assert_same(g.value, q(expected, u.uS))


@each_way
def test_random_key_advances_once_a_call(member, options):
    key = State(jax.random.key(0), name="key")

    def fun(x):
        key.value, now = jax.random.split(key.value)
        return x**2 * jax.random.uniform(now)

    after, now = jax.random.split(jax.random.key(0))
    a = float(jax.random.uniform(now))
    found = member(fun, q(3.0, u.mV), **options)
    expected = Derivatives(q(6.0 * a, u.mV), jnp.asarray(2.0 * a), q(1.0, u.mV))
    assert_same(found, member.expected(expected))
    assert jnp.all(jax.random.key_data(key.value) == jax.random.key_data(after))


# Faults


def boom(error: type[BaseException]) -> Callable[[], Any]:
    def fail():
        raise error("on purpose")

    return fail


FAULTS = {
    "exception": (boom(ArithmeticError), ArithmeticError, "on purpose"),
    "interrupt": (boom(KeyboardInterrupt), KeyboardInterrupt, "on purpose"),
    "unit error": (lambda: q(1.0, u.mV) + 1.0 * u.ms, u.UnitMismatchError, "mV != ms"),
}
POSITIONS = ("before a read", "after a read", "after a write", "after another write")


@pytest.mark.parametrize("fault", FAULTS)
@each_way
def test_fault_at_any_position_leaves_every_state_as_it_was(member, options, fault):
    cell = Cell()
    cell.fail, error, text = FAULTS[fault]
    for cell.position in POSITIONS:
        with unchanged(*cell.states), pytest.raises(error, match=text):
            member(cell.power, q(3.0, u.mV), state=cell.g, **options)
    cell.position = "nowhere"
    found = member(cell.power, q(3.0, u.mV), state=cell.g, **options)
    assert_same(found, member.expected(by_hand(2.0, 3.0)))
    assert cell.count.value == 1


def test_fault_in_a_transpose_or_a_unit_check_leaves_every_state_as_it_was():
    cell = Cell(boom(ArithmeticError))
    for cell.position in POSITIONS:
        for call in (linear_transpose, check_units):
            with unchanged(*cell.states), pytest.raises(ArithmeticError, match="on purpose"):
                call(cell.power, q(3.0, u.mV))


OUTER = {
    "jit": lambda f: jax.jit(f)(q(3.0, u.mV)),
    "vmap": lambda f: jax.vmap(f)(q([3.0, 4.0], u.mV)),
    "eval_shape": lambda f: jax.eval_shape(f, q(3.0, u.mV)),
    "lower": lambda f: jax.jit(f).lower(q(3.0, u.mV)),
}


@pytest.mark.parametrize("outer", OUTER)
@each_way
def test_state_under_an_outer_transform_of_jax_is_read_but_never_written(member, options, outer):
    cell = Cell()
    derive = lambda fun: lambda V: member(fun, V, state=cell.g, **options)  # noqa: E731
    with unchanged(*cell.states):
        with pytest.raises(ValueError, match=r"State\(\w+\)\.value would hold a tracer of JAX"):
            OUTER[outer](derive(cell.kept_power))
        found = OUTER[outer](derive(cell.read_only))
    if outer == "jit":
        assert_same(found, member.expected(by_hand(2.0, 3.0)))
    if outer == "vmap":
        rows = [jax.tree.map(lambda x, n=n: x[n], found) for n in (0, 1)]
        assert_same(rows, [member.expected(by_hand(2.0, V)) for V in (3.0, 4.0)])


@each_way
def test_write_inside_a_loop_of_jax_names_the_state(member, options):
    s = State(q(1.0, u.mV), name="s")

    def body(carry, _):
        s.value = carry * 2
        return carry, None

    with (
        unchanged(s),
        pytest.raises(ValueError, match=r"a tracer of JAX.*State\(s|State\(s.*tracer"),
    ):
        member(lambda x: lax.scan(body, x, length=2)[0] * s.value, q(3.0, u.mV), **options)


@each_member
def test_states_are_written_with_jit_switched_off(member):
    cell = Cell()
    with jax.disable_jit():
        found = member(cell.power, q(3.0, u.mV), state=cell.g)
    assert_same(found, member.expected(by_hand(2.0, 3.0)))
    assert cell.count.value == 1


@each_maker
def test_plan_writes_no_state(member, capsys):
    cell = Cell()
    made = member.make(cell.power, grad_states=cell.g, argnums=0, unit_aware=True)
    with unchanged(*cell.states):
        made.plan(q(3.0, u.mV))
        made.describe(q(3.0, u.mV))
    assert "writes   State(g: float32[] uS), State(count: int32[])" in capsys.readouterr().out


# Leaks


@each_way
def test_no_way_to_call_it_leaks_a_tracer(member, options):
    cell = Cell()
    derive = lambda V: member(cell.read_only, V, state=cell.g, **options)  # noqa: E731
    with jax.checking_leaks():
        once = jax.jit(derive)(q(3.0, u.mV))
        rows = jax.jit(jax.vmap(derive))(q([3.0], u.mV))
        eager = member(cell.power, q(3.0, u.mV), state=cell.g, **options)
    expected = member.expected(by_hand(2.0, 3.0))
    assert_same([once, eager], [expected, expected])
    assert_same(rows, jax.tree.map(lambda x: x[None], expected))


def test_pull_and_push_and_transpose_leak_no_tracer():
    cell = Cell()

    def both(V):
        _, pull = vjp(cell.read_only, V, grad_states=cell.g, argnums=0)
        _, push = linearize(cell.read_only, V, grad_states=cell.g, argnums=None)
        transpose = linear_transpose(lambda dV: dV * cell.g.value, V)
        return pull(1.0), jax.jit(push)(q(1.0, u.uS)), transpose(V)

    with jax.checking_leaks():
        pulled, pushed, transposed = jax.jit(both)(q(3.0, u.mV))
    assert_same(pulled, by_hand(2.0, 3.0).first)
    assert_same(pushed, q(36.0, POWER))
    assert_same(transposed, q(6.0, u.mV * u.uS))


def nested(V, cell):
    return grad(cell.power, unit_aware=True)(V) * V


@pytest.mark.parametrize("fun", [Cell.power, lambda cell, V: nested(V, cell)], ids=["", "nested"])
def test_plans_and_unit_checks_leak_no_tracer(fun):
    cell = Cell()
    with jax.checking_leaks(), unchanged(*cell.states):
        for member in TRANSFORMS:
            member.make(fun, argnums=1, unit_aware=True).plan(cell, q(3.0, u.mV))
        assert check_units(fun, cell, q(3.0, u.mV)).has_same_dim(POWER)


# Threads


@each_way
def test_eight_threads_with_shapes_and_states_of_their_own(member, options):
    def fun(V, g):
        g.value = g.value * 2.0
        return u.math.sum((g.value * V) ** 2)

    shared = member.make(fun, unit_aware=True, **options) if member.make else None
    states = [State(q(n + 1.0, u.uS), name=f"g{n}") for n in range(8)]
    start, found, failures = threading.Barrier(8), {}, []

    def work(n):
        V = q(np.full(n + 1, 3.0), u.mV)
        try:
            start.wait()
            for k in range(3):
                found[n, k] = shared(V, states[n]) if shared else member(fun, V, states[n])
        except BaseException as error:  # what happens in a thread is told in the main one
            failures.append(error)

    threads = [threading.Thread(target=work, args=(n,)) for n in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not failures
    for (n, k), blocks in found.items():
        g = (n + 1.0) * 2.0 ** (k + 1)
        (_, slope), (_, (_, curve)) = by_hand(g, 3.0).first, by_hand(g, 3.0).second
        size = n + 1
        slope, ones = slope * jnp.ones(size), q(np.ones(size), u.mV)
        expected = Derivatives(slope, curve * jnp.eye(size), ones)
        blocks = blocks[1] if member.name == "value_and_grad" and shared else blocks
        if member.expected is along:
            assert_same(blocks, u.math.sum(slope * ones))
        else:
            assert_same(blocks, member.expected(expected))
    for n, state in enumerate(states):
        assert_same(state.value, q((n + 1.0) * 8.0, u.uS))


# Copies


@each_maker
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_copied_transform_has_the_states_of_the_copied_object(member, jit):
    cell = Cell()
    made = member.make(cell.power, grad_states=cell.g, argnums=0, unit_aware=True, jit=jit)
    made(q(3.0, u.mV))
    twin = copy.deepcopy(made)
    mine = made(q(3.0, u.mV))
    assert_same(cell.g.value, q(8.0, u.uS))
    assert_same(twin(q(3.0, u.mV)), mine)
    twin_cell = twin.fun.__self__
    assert twin_cell is not cell
    assert_same(twin_cell.g.value, q(8.0, u.uS))
    assert_same(copy.copy(made)(q(3.0, u.mV)), twin(q(3.0, u.mV)))


def module_level(p):
    return {"P": u.math.sum(p["g"] * p["V"] ** 2)}


@each_maker
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_transforms_and_results_are_pickled(member, jit):
    made = member.make(module_level, unit_aware=True, jit=jit)
    p = {"g": q([1.0, 2.0], u.nS), "V": q([3.0, 4.0], u.mV)}
    found = made(p)
    assert_same(pickle.loads(pickle.dumps(found)), found)
    assert_same(pickle.loads(pickle.dumps(made))(p), found)
    cell = pickle.loads(pickle.dumps(Cell().g))
    assert_same(cell.value, q(2.0, u.uS))


# Arguments


@each_way
def test_arguments_that_are_no_arrays_and_keywords_of_any_name(member, options):
    def fun(x, kind, n, /, **named):
        assert (kind, set(named)) == ("square", {"self", "fun", "args", "kwargs", "jit"})
        return x**n * named["self"]

    names = {"self": q(2.0, u.ms), "fun": None, "args": "text", "kwargs": 3, "jit": True}
    found = member(fun, q(3.0, u.mV), "square", 2, kwargs=names, **options)
    W = u.mV**2 * u.ms
    expected = Derivatives(q(12.0, W / u.mV), q(4.0, W / u.mV / u.mV), q(1.0, u.mV))
    assert_same(found, member.expected(expected))
