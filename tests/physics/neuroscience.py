"""Neuroscience: the membrane of Hodgkin and Huxley (1952) piece by piece, and rows around it."""

import brainunit as u

from .model import Model

FARADAY = u.constants.faraday
GAS = u.constants.gas


def opening_rate(rate, voltage, middle, slope):
    """Give ``rate * x / (1 - exp(-x))`` with ``x = (voltage - middle) / slope``."""
    x = (voltage - middle) / slope
    return {"rate": -rate * x / u.math.expm1(-x)}


def exponential_rate(rate, voltage, middle, slope):
    return {"rate": rate / u.math.exp((voltage - middle) / slope)}


def closing_rate(rate, voltage, middle, slope):
    return {"rate": 0.5 * rate * (1 + u.math.tanh((voltage - middle) / (2 * slope)))}


def membrane(voltage, stimulus, capacitance, g_Na, g_K, g_L, E_Na, E_K, E_L, m, h, n):
    sodium = g_Na * m**3 * h * (voltage - E_Na)
    potassium = g_K * n**4 * (voltage - E_K)
    leak = g_L * (voltage - E_L)
    return {"slope": (stimulus - sodium - potassium - leak) / capacitance}


def gate(alpha, beta, open):
    return {
        "steady": alpha / (alpha + beta),
        "time_constant": (1 / (alpha + beta)).in_unit(u.ms),
        "slope": alpha * (1 - open) - beta * open,
    }


def goldman_flux(permeability, valence, voltage, temperature, inside, outside):
    x = valence * FARADAY * voltage / (GAS * temperature)
    flux = permeability * valence * FARADAY * x
    escape = u.math.exp(-x)
    return {"current": (flux * (inside - outside * escape) / (1 - escape)).in_unit(u.uA / u.cm**2)}


def goldman_voltage(permeability, inside, outside, temperature):
    ratio = permeability @ outside / (permeability @ inside)
    return {"voltage": (GAS * temperature / FARADAY).in_unit(u.mV) * u.math.log(ratio)}


def cable(diameter, membrane, axial):
    constant = u.math.sqrt(diameter * membrane / axial / 4)
    return {
        "length": constant.in_unit(u.um),
        "input": (4 * axial * constant / (u.math.pi * diameter**2)).in_unit(u.Mohm),
    }


def synapse(peak, time, rise, voltage, reversal):
    conductance = peak * (time / rise) * u.math.exp(1 - time / rise)
    return {"conductance": conductance, "current": conductance * (voltage - reversal)}


def exponential_neuron(voltage, leak, conductance, capacitance, sharpness, threshold, drive):
    spike = conductance * sharpness * u.math.exp((voltage - threshold) / sharpness)
    return {
        "slope": ((conductance * (leak - voltage) + spike + drive) / capacitance).in_unit(
            u.mV / u.ms
        )
    }


def firing_rate(drive, resistance, threshold, refractory, decay):
    headroom = drive * resistance
    return {"rate": 1 / (refractory - decay * u.math.log1p(-threshold / headroom))}


NEUROSCIENCE = [
    Model(
        name="hh_sodium_current",
        field="neuroscience",
        parameters={
            "g_Na": (120.0, "mS/cm^2"),
            "m": (0.32, "1"),
            "h": (0.45, "1"),
            "voltage": (-48.0, "mV"),
            "E_Na": (50.0, "mV"),
        },
        outputs={"current": ("g_Na*m**3*h*(voltage - E_Na)", "uA/cm^2")},
        function=lambda g_Na, m, h, voltage, E_Na: {"current": g_Na * m**3 * h * (voltage - E_Na)},
    ),
    Model(
        name="hh_potassium_current",
        field="neuroscience",
        parameters={
            "g_K": (36.0, "mS/cm^2"),
            "n": (0.41, "1"),
            "voltage": (-48.0, "mV"),
            "E_K": (-77.0, "mV"),
        },
        outputs={"current": ("g_K*n**4*(voltage - E_K)", "uA/cm^2")},
        function=lambda g_K, n, voltage, E_K: {"current": (voltage - E_K) * (g_K * (n * n) ** 2)},
    ),
    Model(
        name="hh_leak_current",
        field="neuroscience",
        parameters={
            "g_L": (0.3, "mS/cm^2"),
            "voltage": (-48.0, "mV"),
            "E_L": (-54.387, "mV"),
        },
        outputs={"current": ("g_L*(voltage - E_L)", "uA/cm^2")},
        function=lambda g_L, voltage, E_L: {"current": g_L * (voltage - E_L)},
    ),
    Model(
        name="hh_alpha_m",
        field="neuroscience",
        parameters={
            "rate": (1.0, "1/ms"),
            "voltage": (-48.0, "mV"),
            "middle": (-40.0, "mV"),
            "slope": (10.0, "mV"),
        },
        outputs={
            "rate": (
                "rate*((voltage - middle)/slope)/(1 - exp(-(voltage - middle)/slope))",
                "1/ms",
            )
        },
        function=opening_rate,
    ),
    Model(
        name="hh_beta_m",
        field="neuroscience",
        parameters={
            "rate": (4.0, "1/ms"),
            "voltage": (-48.0, "mV"),
            "middle": (-65.0, "mV"),
            "slope": (18.0, "mV"),
        },
        outputs={"rate": ("rate*exp(-(voltage - middle)/slope)", "1/ms")},
        function=exponential_rate,
    ),
    Model(
        name="hh_alpha_h",
        field="neuroscience",
        parameters={
            "rate": (0.07, "1/ms"),
            "voltage": (-48.0, "mV"),
            "middle": (-65.0, "mV"),
            "slope": (20.0, "mV"),
        },
        outputs={"rate": ("rate*exp(-(voltage - middle)/slope)", "1/ms")},
        function=exponential_rate,
    ),
    Model(
        name="hh_beta_h",
        field="neuroscience",
        parameters={
            "rate": (1.0, "1/ms"),
            "voltage": (-48.0, "mV"),
            "middle": (-35.0, "mV"),
            "slope": (10.0, "mV"),
        },
        outputs={"rate": ("rate/(1 + exp(-(voltage - middle)/slope))", "1/ms")},
        function=closing_rate,
    ),
    Model(
        name="hh_alpha_n",
        field="neuroscience",
        parameters={
            "rate": (0.1, "1/ms"),
            "voltage": (-48.0, "mV"),
            "middle": (-55.0, "mV"),
            "slope": (10.0, "mV"),
        },
        outputs={
            "rate": (
                "rate*((voltage - middle)/slope)/(1 - exp(-(voltage - middle)/slope))",
                "1/ms",
            )
        },
        function=opening_rate,
    ),
    Model(
        name="hh_beta_n",
        field="neuroscience",
        parameters={
            "rate": (0.125, "1/ms"),
            "voltage": (-48.0, "mV"),
            "middle": (-65.0, "mV"),
            "slope": (80.0, "mV"),
        },
        outputs={"rate": ("rate*exp(-(voltage - middle)/slope)", "1/ms")},
        function=exponential_rate,
    ),
    Model(
        name="hh_membrane",
        field="neuroscience",
        parameters={
            "voltage": (-48.0, "mV"),
            "stimulus": (10.0, "uA/cm^2"),
            "capacitance": (1.0, "uF/cm^2"),
            "g_Na": (120.0, "mS/cm^2"),
            "g_K": (36.0, "mS/cm^2"),
            "g_L": (0.3, "mS/cm^2"),
            "E_Na": (50.0, "mV"),
            "E_K": (-77.0, "mV"),
            "E_L": (-54.387, "mV"),
            "m": (0.32, "1"),
            "h": (0.45, "1"),
            "n": (0.41, "1"),
        },
        outputs={
            "slope": (
                "(stimulus - g_Na*m**3*h*(voltage - E_Na) - g_K*n**4*(voltage - E_K)"
                " - g_L*(voltage - E_L))/capacitance",
                "mV/ms",
            )
        },
        function=membrane,
    ),
    Model(
        name="hh_gate",
        field="neuroscience",
        parameters={
            "alpha": (0.65, "1/ms"),
            "beta": (1.55, "1/ms"),
            "open": (0.32, "1"),
        },
        outputs={
            "steady": ("alpha/(alpha + beta)", "1"),
            "time_constant": ("1/(alpha + beta)", "ms"),
            "slope": ("alpha - (alpha + beta)*open", "1/ms"),
        },
        function=gate,
    ),
    Model(
        name="nernst_potential",
        field="neuroscience",
        parameters={
            "temperature": (279.45, "K"),
            "valence": (1.0, "1"),
            "outside": (20.0, "mM"),
            "inside": (0.4, "M"),
        },
        outputs={"potential": ("gas*temperature/(valence*faraday)*log(outside/inside)", "mV")},
        function=lambda temperature, valence, outside, inside: {
            "potential": (
                GAS / FARADAY * temperature * u.math.log(outside / inside) / valence
            ).in_unit(u.mV)
        },
    ),
    Model(
        name="goldman_flux",
        field="neuroscience",
        parameters={
            "permeability": (1.2, "um/s"),
            "valence": (2.0, "1"),
            "voltage": (-35.0, "mV"),
            "temperature": (308.0, "K"),
            "inside": (120.0, "uM"),
            "outside": (2.0, "mM"),
        },
        outputs={
            "current": (
                "permeability*valence**2*voltage*faraday**2/(gas*temperature)"
                "*(inside - outside*exp(-valence*faraday*voltage/(gas*temperature)))"
                "/(1 - exp(-valence*faraday*voltage/(gas*temperature)))",
                "uA/cm^2",
            )
        },
        function=goldman_flux,
    ),
    Model(
        name="goldman_voltage",
        field="neuroscience",
        parameters={
            "permeability": ((1.0, 0.04, 0.45), "cm/s"),
            "inside": ((400.0, 50.0, 40.0), "mM"),
            "outside": ((20.0, 440.0, 560.0), "mM"),
            "temperature": (279.45, "K"),
        },
        outputs={
            "voltage": (
                "gas*temperature/faraday*log("
                "(permeability[0]*outside[0] + permeability[1]*outside[1]"
                " + permeability[2]*outside[2])"
                "/(permeability[0]*inside[0] + permeability[1]*inside[1]"
                " + permeability[2]*inside[2]))",
                "mV",
            )
        },
        function=goldman_voltage,
    ),
    Model(
        name="cable",
        field="neuroscience",
        parameters={
            "diameter": (2.4, "um"),
            "membrane": (12.0, "kohm*cm^2"),
            "axial": (150.0, "ohm*cm"),
        },
        outputs={
            "length": ("sqrt(diameter*membrane/(4*axial))", "um"),
            "input": ("2*sqrt(membrane*axial)/(pi*diameter**Rational(3, 2))", "Mohm"),
        },
        function=cable,
    ),
    Model(
        name="alpha_synapse",
        field="neuroscience",
        parameters={
            "peak": (1.5, "nS"),
            "time": (3.1, "ms"),
            "rise": (1.8, "ms"),
            "voltage": (-64.0, "mV"),
            "reversal": (0.002, "V"),
        },
        outputs={
            "conductance": ("peak*time/rise*exp(1 - time/rise)", "nS"),
            "current": ("peak*time/rise*exp(1 - time/rise)*(voltage - reversal)", "pA"),
        },
        function=synapse,
    ),
    Model(
        name="exponential_neuron",
        field="neuroscience",
        parameters={
            "voltage": (-52.0, "mV"),
            "leak": (-70.6, "mV"),
            "conductance": (30.0, "nS"),
            "capacitance": (281.0, "pF"),
            "sharpness": (2.0, "mV"),
            "threshold": (-0.0504, "V"),
            "drive": (0.8, "nA"),
        },
        outputs={
            "slope": (
                "(-conductance*(voltage - leak)"
                " + conductance*sharpness*exp((voltage - threshold)/sharpness) + drive)"
                "/capacitance",
                "mV/ms",
            )
        },
        function=exponential_neuron,
    ),
    Model(
        name="firing_rate",
        field="neuroscience",
        parameters={
            "drive": (0.45, "nA"),
            "resistance": (60.0, "Mohm"),
            "threshold": (15.0, "mV"),
            "refractory": (2.0, "ms"),
            "decay": (0.011, "s"),
        },
        outputs={
            "rate": (
                "1/(refractory + decay*log(drive*resistance/(drive*resistance - threshold)))",
                "kHz",
            )
        },
        function=firing_rate,
    ),
    Model(
        name="magnesium_block",
        field="neuroscience",
        parameters={
            "conductance": (0.8, "nS"),
            "magnesium": (1.2, "mM"),
            "affinity": (3.57, "mM"),
            "steepness": (62.0, "1/V"),
            "voltage": (-40.0, "mV"),
        },
        outputs={
            "conductance": (
                "conductance/(1 + magnesium/affinity*exp(-steepness*voltage))",
                "nS",
            )
        },
        function=lambda conductance, magnesium, affinity, steepness, voltage: {
            "conductance": conductance
            / (1 + u.math.exp(-steepness * voltage) * magnesium / affinity)
        },
    ),
]
