"""One of two processes that compute a Jacobian together: port, own index, folder for the result."""

import os
import sys

os.environ["JAX_PLATFORMS"] = "cpu"
os.environ["XLA_FLAGS"] = "--xla_force_host_platform_device_count=2"

import brainunit as u
import jax
import jax.numpy as jnp
import numpy as np
from jax.experimental import multihost_utils

import unitjac

port, index, folder = sys.argv[1:]
jax.config.update("jax_cpu_collectives_implementation", "gloo")
jax.distributed.initialize(f"localhost:{port}", num_processes=2, process_id=int(index))
mesh = jax.make_mesh((4,), ("rows",), axis_types=(jax.sharding.AxisType.Auto,))


def fun(x):
    return x**2 * x.sum()


x = jnp.arange(1.0, 9.0) * u.mV
jac = jax.jit(unitjac.jacrev(fun, unit_aware=True, mesh=mesh))
block = jac(x)
assert block.unit == u.mV**2
assert not block.mantissa.is_fully_addressable  # each process holds its own rows
assert [shard.data.shape for shard in block.mantissa.addressable_shards] == [(2, 8)] * 2
gathered = multihost_utils.process_allgather(block.mantissa, tiled=True)
np.save(os.path.join(folder, f"{index}.npy"), np.asarray(gathered))
