"""Classes of bugs that libraries of units, states and derivatives have had, and what holds each.

The table names tests, in this file or in others; a name that no test has is a failure. Below it
stand tests of the family for the classes that the other files hold for Jacobians alone.
"""

import ast
import itertools
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path
from typing import Any

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
import pytest
from helpers import (
    assert_physically_equal,
    assert_same,
    both_precisions,
    dtype_of,
    each,
    is_quantity,
    magnitudes,
    q,
    unchanged,
)
from test_arguments import Data, Node, Pair
from test_errors import INPUTS, OUTPUTS, POSITIONS, STATES, Bench
from test_family import Derivatives, each_member, each_way

from unitjac import State, grad, hessian, jvp, linearize, value_and_grad, vector_grad, vjp

TABLE = {
    "the unit of a derivative read from the container instead of the leaf": (
        "test_units.py::test_unit_comes_from_the_leaf_and_not_from_the_container",
        "test_gradients.py::test_gradient_is_a_tree_like_what_is_differentiated",
        "test_hessian.py::test_blocks_of_states_and_arguments",
    ),
    "forward and reverse mode assigning units by different code": (
        "test_random_functions.py::test_random_functions",
        "test_composition.py::test_second_derivatives_and_products_of_random_functions",
        "test_units.py::test_transforms_agree_on_units_within_a_tree_of_mixed_scales",
        "test_hessian.py::test_each_mode_gives_the_same_blocks",
    ),
    "without units: a quantity inside a quantity, or a derivative in its input's unit": (
        "test_units.py::test_blocks_without_units_are_plain_magnitudes_of_the_functions_own_units",
        "test_gradients.py::test_units_that_are_dropped_are_named_in_a_warning_at_the_users_line",
        "test_hessian.py::test_units_that_are_dropped_are_named_in_a_warning_at_the_users_line",
    ),
    "cotangents and tangents that carry any unit, or none, unnoticed": (
        "test_products.py::test_unit_of_what_is_pulled_back_is_cotangent_times_output_over_input",
        "test_products.py::test_leaves_that_disagree_about_the_product_are_named",
        "test_products.py::test_tangent_of_another_dimension_tree_shape_or_dtype_is_refused",
    ),
    "a concrete zero is neutral in sums, a traced one is not": (
        "test_composition.py::test_zero_with_a_unit_begins_a_sum",
        "test_units.py::test_traced_zero_with_a_unit_carries_a_scan",
    ),
    "scales of one dimension mixed, and overflow on the way to a number": (
        "test_states.py::test_state_may_be_written_in_another_unit_of_its_dimension",
        "test_numbers.py::test_block_without_dimension_is_scaled_without_overflow_on_the_way",
        "test_gradients.py::test_scales_of_the_outputs_overflow_nothing_on_the_way",
        "test_hessian.py::test_block_without_dimension_is_scaled_without_overflow_on_the_way",
        "test_products.py::test_tangent_is_converted_and_what_is_pushed_has_the_outputs_unit",
    ),
    "units with a factor, with fractional powers, and huge gaps of scale": (
        "test_units.py::test_derivative_in_closed_form_and_in_the_unit_of_output_over_input",
        "test_units.py::test_inputs_written_a_billion_apart_agree_in_float32",
        "test_reliability.py::test_odd_units_in_closed_form",
    ),
    "a unit that depends on a static argument, a constant output, an output without array": (
        "test_units.py::test_unit_of_the_output_may_depend_on_a_static_argument",
        "test_reliability.py::test_unit_of_the_output_may_depend_on_a_static_argument",
        "test_reliability.py::test_odd_units_in_closed_form",
    ),
    "dividing by the unit of a derivative that has none": (
        "test_units.py::test_jacobian_without_dimension_divides_like_any_number",
        "test_composition.py::test_membrane_that_is_integrated_agrees_with_the_closed_form",
    ),
    "a compiled trace that goes stale when a state changes": (
        "test_states.py::test_compiled_program_follows_shape_dtype_tree_and_unit_of_a_state",
        "test_states.py::test_weak_type_of_a_state_is_no_change_of_its_results",
        "test_family.py::test_compiled_program_follows_shape_dtype_tree_and_unit_of_a_state",
    ),
    "a state written in another unit: an error that leaves a tracer in it": (
        "test_states.py::test_state_may_be_written_in_another_unit_of_its_dimension",
        "test_family.py::test_state_is_differentiated_where_it_stood_and_written_once",
    ),
    "tracers left in a state when the function raises, at any point": (
        "test_faults.py::test_fault_at_any_position_leaves_every_state_as_it_was",
        "test_faults.py::test_fault_under_an_outer_transform_of_jax_leaves_every_state_as_it_was",
        "test_family.py::test_fault_at_any_position_leaves_every_state_as_it_was",
        "test_family.py::test_fault_in_a_transpose_or_a_unit_check_leaves_every_state_as_it_was",
        "test_family.py::test_state_under_an_outer_transform_of_jax_is_read_but_never_written",
        "test_family.py::test_states_are_written_with_jit_switched_off",
    ),
    "states created inside, passed in, with None leaves, named twice, read in one branch": (
        "test_states.py::test_state_created_inside_the_function",
        "test_states.py::test_state_whose_tree_has_none_leaves",
        "test_states.py::test_state_that_is_read_in_one_branch_only",
        "test_errors.py::test_wrong_call_is_told_what_where_and_what_to_type",
        "test_family.py::test_state_passed_as_an_argument_and_state_created_inside",
    ),
    "compilations that keep an outer trace's tracers alive": (
        "test_jit.py::test_compiled_program_keeps_no_tracer_of_an_outer_trace",
        "test_returns.py::test_no_way_to_call_it_leaks_a_tracer",
        "test_family.py::test_no_way_to_call_it_leaks_a_tracer",
        "test_family.py::test_pull_and_push_and_transpose_leak_no_tracer",
        "test_family.py::test_plans_and_unit_checks_leak_no_tracer",
    ),
    "lowering, describing or evaluating shapes writes states": (
        "test_faults.py::test_describing_and_lowering_write_no_state",
        "test_family.py::test_plan_writes_no_state",
        "test_check_units.py::test_states_are_read_and_keep_their_values",
    ),
    "states keyed by their address": (
        "test_jit.py::test_lowered_program_is_the_same_in_every_process",
        "test_states.py::test_state_and_messages_show_names_and_no_addresses",
    ),
    "output trees together with states": (
        "test_states.py::test_output_trees_of_any_depth_stand_inside_of_any_structure_of_states",
        "test_returns.py::test_every_shape_in_eager",
        "test_hessian.py::test_blocks_of_states_and_arguments",
        "test_products.py::test_states_have_cotangents_and_tangents",
    ),
    "threads that share a transform": (
        "test_jit.py::test_eight_threads_write_one_counter",
        "test_jit.py::test_eight_threads_share_a_transform_with_shapes_of_their_own",
        "test_family.py::test_eight_threads_with_shapes_and_states_of_their_own",
    ),
    "random states advanced twice, or not restored on failure": (
        "test_states.py::test_random_state_advances_once_a_call_and_not_on_failure",
        "test_family.py::test_random_key_advances_once_a_call",
    ),
    "positions shifted by hidden leading arguments": (
        "test_arguments.py::test_negative_argnums_count_the_arguments_of_the_user_beside_states",
        "test_reliability.py::test_negative_argnums_count_the_arguments_of_the_user_beside_states",
    ),
    "positions that are twice the same, empty, bools, out of range": (
        "test_errors.py::test_wrong_call_is_told_what_where_and_what_to_type",
        "test_reliability.py::test_wrong_call_is_told_what_where_and_what_to_type",
        "test_products.py::test_primals_and_tangents_that_do_not_go_together_are_refused",
    ),
    "arguments that are no arrays, and keywords named like the library's own": (
        "test_arguments.py::test_arguments_that_are_no_arrays_pass_through",
        "test_family.py::test_arguments_that_are_no_arrays_and_keywords_of_any_name",
        "test_products.py::test_none_holds_an_argument_fixed_whatever_it_is",
        "test_products.py::test_keyword_of_the_function_may_have_any_name",
    ),
    "aux that is no pair": (
        "test_errors.py::test_wrong_call_is_told_what_where_and_what_to_type",
        "test_reliability.py::test_wrong_call_is_told_what_where_and_what_to_type",
    ),
    "no function, a generator function, a class, a bound method, a partial": (
        "test_arguments.py::test_functions_of_every_kind",
        "test_arguments.py::test_class_whose_instances_are_trees_is_a_function",
        "test_reliability.py::test_what_is_no_function_is_refused",
        "test_check_units.py::test_what_is_no_function_is_refused_with_the_call_to_write",
    ),
    "empty trees, size zero, NumPy's arrays and scalars, Python's complex": (
        "test_arguments.py::test_empty_trees_as_inputs_and_outputs",
        "test_numbers.py::test_numbers_of_python_and_numpy",
        "test_reliability.py::test_empty_trees_as_inputs_and_outputs",
        "test_reliability.py::test_numbers_of_python_and_numpy",
        "test_reliability.py::test_derivatives_of_trees_of_any_shape",
    ),
    "bfloat16 refused; complex numbers taken or refused otherwise than in JAX": (
        "test_numbers.py::test_complex_numbers_are_taken_and_refused_as_in_jax",
        "test_gradients.py::test_complex_outputs_are_refused_and_complex_inputs_taken_as_in_jax",
        "test_hessian.py::test_integers_and_complex_numbers_are_refused",
        "test_products.py::test_complex_outputs_have_complex_cotangents",
        "test_reliability.py::test_leaves_of_every_precision_have_gradients_side_by_side",
    ),
    "float0 in a quantity; a gradient of integers or of complex outputs without a word": (
        "test_numbers.py::test_integers_and_bools_have_blocks_of_float0_and_no_unit",
        "test_gradients.py::test_integers_have_float0_where_they_are_allowed",
        "test_gradients.py::test_vector_grad_refuses_integers_and_offers_nothing_that_it_has_not",
        "test_products.py::test_integers_have_float0",
    ),
    "mixed precision in one tree": (
        "test_numbers.py::test_leaves_of_every_precision_stand_side_by_side",
        "test_hessian.py::test_blocks_have_the_dtypes_of_jax_in_mixed_precision",
        "test_products.py::test_leaves_of_every_precision_stand_side_by_side",
        "test_reliability.py::test_leaves_of_every_precision_have_gradients_side_by_side",
    ),
    "second derivatives that are nan through a choice of branches": (
        "test_hodgkin_huxley.py::test_rate_and_its_derivatives_against_sympy",
        "test_composition.py::test_second_derivative_of_a_rate_at_its_singular_voltage",
    ),
    "least squares and covariances that depend on the units": (
        "linalg/test_solve.py::test_least_squares_do_not_depend_on_the_units",
        "linalg/test_covariance.py::test_propagation_does_not_depend_on_the_units",
    ),
    "tall Jacobians by the dearer mode": (
        "test_plan.py::test_automatic_mode_is_the_one_with_fewer_passes",
        "test_jit.py::test_automatic_mode_costs_no_more_than_the_mode_that_it_takes",
    ),
    "thousands of blocks that take long to compile": (
        "test_many_blocks.py::test_program_of_many_blocks_gives_back_one_array_for_an_output",
    ),
    "functions called or traced more often than needed": (
        "test_jit.py::test_eager_call_calls_the_function_once",
        "test_jit.py::test_compiled_call_traces_once_and_a_second_call_not_at_all",
        "test_gradients.py::test_function_is_called_once_a_call_and_once_a_trace",
        "test_hessian.py::test_function_is_called_once",
        "test_products.py::test_function_is_called_once_and_its_states_are_written_once",
        "test_reliability.py::test_units_cost_no_flops_and_no_bytes",
    ),
    "functions that JAX remembers and that read states of several libraries": (
        "test_kept_programs.py::test_sequences_of_calls",
        "test_kept_programs.py::test_a_loop_in_forward_mode",
        "test_threads.py::test_threads_share_a_state_that_is_differentiated",
        "test_threads.py::test_one_differentiates_what_another_one_only_reads",
    ),
    "quantities of other libraries, and classes derived from Quantity": (
        "ecosystem/test_foreign.py::test_refused_by_library_place_and_what_to_type",
        "ecosystem/test_foreign.py::test_a_state_keeps_its_value_where_one_is_refused",
        "ecosystem/test_foreign.py::test_a_mask_is_refused",
        "test_own_classes.py::test_a_registered_subclass_arrives_as_itself",
    ),
    "objects that are no trees: tracers inside, one object for all calls": (
        "test_aux_objects.py::test_objects_in_aux_hold_arrays",
        "test_aux_objects.py::test_no_call_shares_an_object_with_another_one",
        "test_aux_objects.py::test_an_argument_that_holds_a_tracer",
        "test_aux_objects.py::test_what_cannot_be_taken_apart_is_refused",
    ),
    "arrays that are spread over a mesh, with Explicit axes too": (
        "test_mesh.py::test_explicit_axes_of_inputs_are_those_of_blocks_as_in_jax",
        "test_mesh.py::test_explicit_axes_in_units_gradients_and_products",
        "test_mesh.py::test_explicit_axes_of_a_state_and_of_very_many_blocks",
        "test_mesh.py::test_sparse_seeds_lie_where_their_arrays_do",
        "linalg/test_explicit_mesh.py::test_numbers_are_those_of_one_device",
    ),
    "arrays of NumPy handed on where JAX hands its own": (
        "test_own_classes.py::test_numbers_and_arrays_of_numpy_arrive_as_arrays_of_jax",
        "test_own_classes.py::test_check_jacobian_hands_arrays_of_jax_on",
    ),
    "flags of JAX: promotion, nans, 64 bits, transfers": (
        "test_as_in_jax.py::test_promotion_that_is_forbidden_to_users_is_not_done_for_them",
        "sparse/test_sparse_switches.py::test_promotion_that_is_forbidden_to_users_is_not_done_for_them",
        "linalg/test_backward_error.py::test_strict_promotion_of_dtypes_and_ranks",
        "test_switches.py::test_64_bits_switched_between_calls",
        "test_switches.py::test_under_debug_nans_a_nan_is_an_error_and_a_state_stays",
        "test_switches.py::test_compiled_no_array_is_transferred_by_the_way",
    ),
    "containers that look at what they are made of": (
        "test_as_in_jax.py::test_no_container_is_made_of_stand_ins",
        "test_as_in_jax.py::test_units_and_blocks_stand_in_no_container_that_looks_for_arrays",
    ),
    "sizes that are symbols, functions without a rule for batches": (
        "test_as_in_jax.py::test_sizes_may_be_symbols_in_every_transform",
        "test_as_in_jax.py::test_what_has_no_batching_rule_is_swept_one_by_one",
        "sparse/test_sparse_switches.py::test_plans_are_refused_for_sizes_that_are_symbols",
    ),
    "whole numbers among the outputs": (
        "test_products.py::test_whole_numbers_among_the_outputs_have_float0",
        "test_products.py::test_whole_numbers_among_the_outputs_of_a_function_with_a_state",
        "test_products.py::test_outputs_that_are_whole_numbers_alone",
    ),
    "many leaves on one side and one on the other, many leaves of a Hessian": (
        "test_many_blocks.py::test_one_row_and_one_column_are_blocks_already",
        "test_many_blocks.py::test_one_row_of_many_blocks",
        "test_many_blocks.py::test_program_of_many_second_blocks_gives_back_one_array_for_a_row",
    ),
    "scales that lift tiny entries beside zeros: wrong solutions": (
        "linalg/test_backward_error.py::test_a_cascade_of_three_voltages",
        "linalg/test_backward_error.py::test_solutions_and_inverses_are_right_entry_by_entry",
        "linalg/test_backward_error.py::test_units_that_are_powers_of_two_change_no_bit",
    ),
    "matching by position where there are names": (
        "linalg/test_names.py::test_one_covariance_whatever_the_parameters_are_called",
        "linalg/test_names.py::test_trees_pair_by_name",
        "linalg/test_names.py::test_equations_pair_by_name",
        "linalg/test_names.py::test_determinant_pairs_leaves_by_their_names",
    ),
    "labels that collide, names in Unicode, keys in the user's order": (
        "linalg/test_names.py::test_labels_that_would_read_alike_are_spelled_out",
        "linalg/test_names.py::test_two_micros_are_one_name_where_nothing_else_is",
        "linalg/test_names.py::test_keys_stay_in_the_users_order_where_jax_keeps_it",
    ),
    "results that do not go through jit, vmap, scan, pickle or copy": (
        "test_carried.py::test_results_go_through_jax_and_are_pickled_and_copied",
        "test_carried.py::test_batches_of_results_come_out_of_vmap_and_go_into_it",
        "test_carried.py::test_linear_maps_go_through_jax_and_are_copied",
    ),
}
HERE = Path(__file__).parent


@cache
def names_of_tests(name: str) -> set[str]:
    tree = ast.parse((HERE / name).read_text(encoding="utf-8"))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef)}


@pytest.mark.parametrize("name", sorted(set(itertools.chain(*TABLE.values()))))
def test_test_that_holds_a_class_of_bugs_exists(name):
    file, test = name.split("::")
    assert test.startswith("test_")
    assert test in names_of_tests(file)


# Units


@dataclass(frozen=True)
class Row:
    """A function of ``x``, with its first and second derivative at a point, in closed form."""

    name: str
    fun: Any
    at: Any
    first: Any
    second: Any
    one: Any


def row(name: str, fun: Any, at: Any, first: tuple[float, Any], second: tuple[float, Any]) -> Row:
    def written(number, unit):
        return jnp.asarray(number, float) if unit is None else q(number, unit)

    one = written(1.0, at[1])
    return Row(name, fun, written(*at), written(*first), written(*second), one)


DEGREE, SIN, COS = np.pi / 180, 0.5, np.sqrt(0.75)
ROWS = (
    row(
        "minutes",
        lambda t: (t**2).in_unit(u.second**2),
        (3, u.minute),
        (21600, u.second**2 / u.minute),
        (2, None),
    ),
    row("degrees", lambda a: u.math.sin(a), (30, u.degree), (COS, None), (-SIN, None)),
    row(
        "calories",
        lambda E: (E**2).in_unit(u.joule**2),
        (2, u.calorie),
        (4 * 4.184**2, u.joule**2 / u.calorie),
        (2, None),
    ),
    row("root", u.math.sqrt, (4, u.mV), (1 / 4, u.mV**-0.5), (-1 / 32, u.mV**-1.5)),
    row("power 3/2", lambda x: x**1.5, (4, u.mV), (3, u.mV**0.5), (3 / 8, u.mV**-0.5)),
    row(
        "exponential", lambda x: u.math.exp(x / u.mV), (1, u.mV), (np.e, u.mV**-1), (np.e, u.mV**-2)
    ),
    row(
        "nm to Gm",
        lambda x: (x**2).in_unit(u.Gmeter**2),
        (3, u.nmeter),
        (6e-36, u.Gmeter**2 / u.nmeter),
        (2, None),
    ),
    row(
        "constant",
        lambda x: 5.0 * u.mV + 0.0 * u.mV,
        (3, u.ms),
        (0, u.mV / u.ms),
        (0, u.mV / u.ms**2),
    ),
    row("number", lambda x: 5.0, (3, u.ms), (0, u.ms**-1), (0, u.ms**-2)),
    row("plain to mV", lambda x: x**3 * u.mV, (3, None), (27, u.mV), (18, u.mV)),
    row("reciprocal", lambda x: 1 / x, (2, u.mV), (-1 / 4, u.mV**-2), (1 / 4, u.mV**-3)),
)


@each("row", ROWS)
@each_member
def test_odd_units_in_closed_form(row, member):
    expected = member.expected(Derivatives(row.first, row.second, row.one))
    assert_physically_equal(member(row.fun, row.at), expected, digits_lost=4)


@each_way
def test_unit_of_the_output_may_depend_on_a_static_argument(member, options):
    for n in (2, 3, 2):
        found = member(lambda x, n: x**n, q(3.0, u.mV), n, **options)
        first, second = n * 3.0 ** (n - 1), n * (n - 1) * 3.0 ** (n - 2)
        second = jnp.asarray(second) if n == 2 else q(second, u.mV ** (n - 2))
        by_hand = Derivatives(q(first, u.mV ** (n - 1)), second, q(1.0, u.mV))
        assert_same(found, member.expected(by_hand))


@each_way
def test_unit_error_is_brainunits_own_from_the_line_that_made_it(member, options):
    def fun(x):
        return x + 4.0 * u.ms

    with pytest.raises(u.UnitMismatchError, match="mV != ms") as caught:
        member(fun, q(3.0, u.mV), **options)
    lines = [str(e.statement).strip() for e in caught.traceback if str(e.path) == __file__]
    assert lines[-1] == "return x + 4.0 * u.ms"


# Arguments


def test_negative_argnums_count_the_arguments_of_the_user_beside_states():
    s = State(q(2.0, u.uS), name="s")
    fun = lambda a, b: s.value * a * b**2  # noqa: E731
    args = jnp.asarray(4.0), q(3.0, u.mV)
    options = dict(grad_states=[s], argnums=(-1, 0))
    W = u.uS * u.mV**2
    slopes = [q(36.0, u.mV**2)], (q(48.0, W / u.mV), q(18.0, W))
    for make in (grad, vector_grad):
        assert_same(make(fun, **options, unit_aware=True)(*args), slopes)
    assert_same(value_and_grad(fun, **options, unit_aware=True)(*args)[1], slopes)
    assert_same(vjp(fun, *args, **options)[1](1.0), slopes)
    pushed = linearize(fun, *args, **options)[1](([q(1.0, u.uS)], (q(1.0, u.mV), 2.0)))
    assert_same(pushed, q(36.0 + 48.0 + 36.0, W))
    _, (_, aa) = hessian(fun, **options, unit_aware=True)(*args)
    expected = (q(16.0, W / u.mV / u.mV), q(12.0, W / u.mV)), (q(12.0, W / u.mV), q(0.0, W))
    assert_same(aa, expected)


def product_of(name: str, product: Any) -> Any:
    """A product as the transforms are called: first the function, then its arguments."""

    def make(fun: Any, **options: Any) -> Any:
        return lambda *args, **kwargs: product(fun, *args, kwargs=kwargs, **options)

    make.__name__ = name
    return make


MAKERS = (grad, value_and_grad, vector_grad, hessian)
PULLS_AND_PUSHES = (product_of("vjp", vjp), product_of("linearize", linearize))


def wrong_calls() -> Any:
    """What each transform of the family refuses as those for Jacobians do."""
    for bad in (*INPUTS, *OUTPUTS, *POSITIONS, *STATES):
        options = bad.options(Bench())
        if len(bad.transforms) < 3 or {"holomorphic"} & set(options):
            continue
        for make in MAKERS + PULLS_AND_PUSHES:
            whole = "must be real. Convert it", "a differentiated output must be"
            if make in PULLS_AND_PUSHES and any(text in bad.match for text in whole):
                continue  # integers have cotangents and tangents of float0
            if make in PULLS_AND_PUSHES and options.get("grad_states") == []:
                continue  # which leaves the first argument, by default
            said = bad
            if make in (grad, value_and_grad) and bad.name in ("out of range", "by keyword"):
                said = replace(bad, error=TypeError)  # as in jax.grad
            yield pytest.param(said, make, id=f"{bad.name}-{make.__name__}")


@pytest.mark.parametrize(("bad", "make"), list(wrong_calls()))
def test_wrong_call_is_told_what_where_and_what_to_type(bad, make):
    bench = Bench()
    with unchanged(*bench.states), pytest.raises(bad.error, match=bad.match):
        make(bench.writing(bad.output), **bad.options(bench))(*bad.args, **bad.kwargs)


@pytest.mark.parametrize("make", MAKERS + PULLS_AND_PUSHES, ids=lambda make: make.__name__)
def test_what_is_no_function_is_refused(make):
    def generator(x):
        yield x

    for fun, text in ((3.0, r"wants a function, got 3\.0 \(float\)"), (generator, "the generator")):
        with pytest.raises(TypeError, match=f"^{make.__name__} .*{text}"):
            make(fun)(1.0)


@each_way
def test_empty_trees_as_inputs_and_outputs(member, options):
    found = member(lambda p: q(1.0, u.mV), {}, **options)
    assert_same(found, q(0.0, u.mV) if member.name in ("jvp", "linearize") else {})
    if member.name not in ("grad", "value_and_grad", "vector_grad"):
        found = member(lambda p: {"a": {}, "b": [None]}, 3.0, **options)
        assert_same(found, jnp.asarray(0.0) if member.name == "vjp" else {"a": {}, "b": [None]})


NUMBERS = {
    "Python float": 3.0,
    "NumPy float64": np.float64(3.0),
    "NumPy float32": np.float32(3.0),
    "NumPy array": np.asarray(3.0),
    "quantity of a Python float": u.Quantity(3.0, unit=u.mV),
    "quantity of a NumPy array": u.Quantity(np.asarray(3.0), unit=u.mV),
}


@pytest.mark.parametrize("name", NUMBERS)
@both_precisions
@each_way
def test_numbers_of_python_and_numpy(member, options, x64, name):
    x, unit = NUMBERS[name], u.get_unit(NUMBERS[name])
    with jax.enable_x64(x64):
        found = member(lambda x: x**2, x, **options)
        ones = jax.tree.map(jnp.ones_like, x)
        expected = Derivatives(jnp.asarray(6.0, dtype_of(x)) * unit, jnp.asarray(2.0), ones)
        assert_physically_equal(found, member.expected(expected))
        leaves = jax.tree.leaves(found, is_leaf=is_quantity)
        assert {dtype_of(leaf) for leaf in leaves} == {dtype_of(x)}


# Trees, shapes, precisions


@pytest.mark.parametrize("node", [Pair, Data, Node], ids=lambda node: node.__name__)
@pytest.mark.parametrize("shape", [(), (0,), (2, 0), (1, 2, 1, 2)], ids=str)
def test_derivatives_of_trees_of_any_shape(node, shape):
    def fun(p):
        return node(p.V * p.g, [p.V * p.g * 2.0, None])

    V, g = np.full(shape, 3.0), np.full(shape, 2.0)
    p, W = node(q(V, u.mV), q(g, u.uS)), u.mV * u.uS
    slopes = node(q(3 * g, u.uS), q(3 * V, u.mV))
    one = jnp.ones(shape)
    found = vector_grad(fun, unit_aware=True)(p)
    assert type(found) is node
    assert_physically_equal(found, slopes)
    assert_physically_equal(vjp(fun, p)[1](node(one, [one, None])), slopes)
    expected = node(q(V * g * 2, W), [q(V * g * 4, W), None])
    assert_physically_equal(linearize(fun, p)[1](p), expected)
    assert_physically_equal(jvp(fun, (p,), (p,))[1], expected)
    mixed = hessian(fun, unit_aware=True, jit=True)(p).g[0].V.g
    assert mixed.shape == shape * 3
    assert_same(jnp.sum(mixed), jnp.asarray(2.0 * V.size))


@pytest.mark.parametrize("make", MAKERS[:3], ids=lambda make: make.__name__)
@pytest.mark.parametrize("jit", [False, True], ids=["eager", "compiled"])
def test_leaves_of_every_precision_have_gradients_side_by_side(make, jit):
    def total(xs):
        squares = [jnp.sum(jnp.real(x * jnp.conj(x))).astype("float32") for x in xs]
        return sum((n + 1) * s for n, s in enumerate(squares)) / 8

    dtypes = ("float16", "bfloat16", "float32", "float64", "complex64", "complex128")
    with jax.enable_x64(True):
        xs = [jnp.asarray([0.5, 0.25], dtype) for dtype in dtypes]
        expected = [u.Quantity(g, unit=u.nA / u.mV) for g in jax.grad(total)(xs)]
        fun = lambda xs: u.Quantity(total(magnitudes(xs)), unit=u.nA)  # noqa: E731
        found = make(fun, unit_aware=True, jit=jit)([u.Quantity(x, unit=u.mV) for x in xs])
        assert_same(found[1] if make is value_and_grad else found, expected)


# Units cost nothing


def test_units_cost_no_flops_and_no_bytes():
    def cost(call: Any, *args: Any) -> tuple[float, float]:
        found = jax.jit(call).lower(*args).compile().cost_analysis()
        return found["flops"], found["bytes accessed"]

    fun = lambda x, g: g * x**3  # noqa: E731
    total = lambda x, g: u.math.sum(fun(x, g))  # noqa: E731
    x, g = q(np.arange(8.0), u.mV), q(2.0, u.nS)
    bare, both = (x.mantissa, g.mantissa), dict(argnums=(0, 1))
    H = hessian(fun, **both, unit_aware=True, mode="fwd-over-rev")
    assert cost(H, x, g) == cost(jax.jacfwd(jax.jacrev(fun, **both), **both), *bare)
    slopes = cost(jax.grad(total, **both), *bare)
    for make in (grad, vector_grad):
        assert cost(make(total, **both, unit_aware=True), x, g) == slopes
    pushed, pulled = (lambda x, g: jvp(fun, (x, g), (x, g))), (lambda x, g: vjp(fun, x, g)[1](x))
    assert cost(pushed, x, g) == cost(lambda *b: jax.jvp(fun, b, b), *bare)
    assert cost(pulled, x, g) == cost(lambda x, g: jax.vjp(lambda x: fun(x, g), x)[1](x), *bare)
