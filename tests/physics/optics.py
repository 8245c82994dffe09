"""Optics: rows of lenses, gratings, beams, absorption and radiation."""

import brainunit as u

from .model import Model

BOLTZMANN = u.constants.boltzmann
LIGHT = u.constants.speed_of_light
PLANCK = u.constants.planck


def gaussian_beam(waist, wavelength, distance):
    reach = u.math.pi * waist**2 / wavelength
    return {
        "width": waist * u.math.sqrt(1 + (distance / reach) ** 2),
        "curvature": (distance + reach**2 / distance).in_unit(u.meter),
        "phase": u.math.arctan(distance / reach),
    }


def absorption(incident, extinction, concentration, path):
    absorbance = extinction * concentration * path
    return {
        "transmitted": incident * 10 ** (-absorbance),
        "absorbance": absorbance,
    }


def black_body(wavelength, temperature):
    occupation = 1 / u.math.expm1(PLANCK * LIGHT / BOLTZMANN / (wavelength * temperature))
    radiance = 2 * PLANCK * LIGHT**2 * occupation / wavelength**5
    return {"radiance": radiance.in_unit(u.watt / u.cmeter**2 / u.nmeter)}


def normal_reflection(index, absorption):
    return {"reflectance": ((index - 1) ** 2 + absorption**2) / ((index + 1) ** 2 + absorption**2)}


OPTICS = [
    Model(
        name="thin_lens",
        field="optics",
        parameters={
            "index": (1.517, "1"),
            "front": (12.0, "cm"),
            "back": (-310.0, "mm"),
            "distance": (0.9, "m"),
        },
        outputs={
            "power": ("(index - 1)*(1/front - 1/back)", "1/m"),
            "image": ("1/((index - 1)*(1/front - 1/back) - 1/distance)", "mm"),
        },
        function=lambda index, front, back, distance: {
            "power": ((index - 1) * (back - front) / (front * back)).in_unit(u.meter**-1),
            "image": (distance / (distance * (index - 1) * (1 / front - 1 / back) - 1)).in_unit(
                u.mmeter
            ),
        },
    ),
    Model(
        name="refraction",
        field="optics",
        parameters={
            "angle": (38.0, "degree"),
            "incident": (1.0003, "1"),
            "transmitted": (1.333, "1"),
        },
        outputs={
            "refracted": ("asin(incident*sin(angle)/transmitted)", "1"),
            "brewster": ("atan2(transmitted, incident)", "1"),
        },
        function=lambda angle, incident, transmitted: {
            "refracted": u.math.arcsin(u.math.sin(angle) * (incident / transmitted)),
            "brewster": u.math.arctan(transmitted / incident),
        },
    ),
    Model(
        name="grating",
        field="optics",
        parameters={
            "wavelength": (589.3, "nm"),
            "spacing": (1.6667, "um"),
            "length": (35.0, "cm"),
        },
        outputs={
            "angle": ("asin(wavelength/spacing)", "1"),
            "position": ("length*tan(asin(wavelength/spacing))", "cm"),
        },
        function=lambda wavelength, spacing, length: {
            "angle": u.math.arcsin(wavelength / spacing),
            "position": length
            * (wavelength / spacing)
            / u.math.sqrt(1 - (wavelength / spacing) ** 2),
        },
    ),
    Model(
        name="gaussian_beam",
        field="optics",
        parameters={
            "waist": (150.0, "um"),
            "wavelength": (632.8, "nm"),
            "distance": (0.14, "m"),
        },
        outputs={
            "width": ("waist*sqrt(1 + (distance*wavelength/(pi*waist**2))**2)", "um"),
            "curvature": ("distance*(1 + (pi*waist**2/(wavelength*distance))**2)", "m"),
            "phase": ("atan(distance*wavelength/(pi*waist**2))", "1"),
        },
        function=gaussian_beam,
    ),
    Model(
        name="absorption",
        field="optics",
        parameters={
            "incident": (3.2, "mW/cm^2"),
            "extinction": (6220.0, "l/(mol*cm)"),
            "concentration": (0.07, "mM"),
            "path": (10.0, "mm"),
        },
        outputs={
            "transmitted": ("incident*exp(-log(10)*extinction*concentration*path)", "mW/cm^2"),
            "absorbance": ("extinction*concentration*path", "1"),
        },
        function=absorption,
    ),
    Model(
        name="black_body",
        field="optics",
        parameters={"wavelength": (0.7, "um"), "temperature": (5772.0, "K")},
        outputs={
            "radiance": (
                "2*planck*light**2/wavelength**5"
                "/(exp(planck*light/(wavelength*boltzmann*temperature)) - 1)",
                "W/(cm^2*nm)",
            )
        },
        function=black_body,
    ),
    Model(
        name="photon",
        field="optics",
        parameters={"wavelength": (480.0, "nm"), "power": (5.0, "mW")},
        outputs={
            "energy": ("planck*light/wavelength", "eV"),
            "rate": ("power*wavelength/(planck*light)", "THz"),
        },
        function=lambda wavelength, power: {
            "energy": (PLANCK * LIGHT / wavelength).in_unit(u.eV),
            "rate": (power * wavelength / (PLANCK * LIGHT)).in_unit(u.parse_unit("THz")),
        },
    ),
    Model(
        name="illuminance",
        field="optics",
        parameters={
            "intensity": (850.0, "cd"),
            "distance": (9.0, "foot"),
            "angle": (28.0, "degree"),
        },
        outputs={"illuminance": ("intensity*cos(angle)/distance**2", "lux")},
        function=lambda intensity, distance, angle: {
            "illuminance": (intensity / distance**2 * u.math.cos(angle)).in_unit(u.lux)
        },
    ),
    Model(
        name="polarizer",
        field="optics",
        parameters={"intensity": (40.0, "W/m^2"), "angle": (52.0, "degree")},
        outputs={"intensity": ("intensity*cos(angle)**2", "W/m^2")},
        function=lambda intensity, angle: {
            "intensity": intensity * (1 + u.math.cos(2 * angle)) / 2
        },
    ),
    Model(
        name="sellmeier",
        field="optics",
        parameters={
            "strength": (1.1, "1"),
            "resonance": (100.0, "nm"),
            "wavelength": (0.55, "um"),
        },
        outputs={
            "index": (
                "sqrt(1 + strength*wavelength**2/(wavelength**2 - resonance**2))",
                "1",
            )
        },
        function=lambda strength, resonance, wavelength: {
            "index": u.math.sqrt(1 + strength / (1 - (resonance / wavelength) ** 2))
        },
    ),
    Model(
        name="normal_reflection",
        field="optics",
        parameters={"index": (0.27, "1"), "absorption": (2.78, "1")},
        outputs={
            "reflectance": (
                "1 - 4*index/((index + 1)**2 + absorption**2)",
                "1",
            )
        },
        function=normal_reflection,
    ),
]
