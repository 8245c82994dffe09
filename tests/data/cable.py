"""A passive cable, as a user would write it: a function of a dict, and one of keywords."""

import brainunit as u


def constants(p):
    """Length constant, time constant and rate of a passive cable."""
    length = (p["d"] / 4.0 * p["R_m"] / p["R_i"]) ** 0.5
    return {
        "length": length.in_unit(u.mm),
        "time": (p["R_m"] * p["C_m"]).in_unit(u.ms),
        "rate": 1.0 / (p["R_m"] * p["C_m"]).in_unit(u.ms),
    }


def by_keywords(d, R_m, R_i, C_m):
    return constants({"d": d, "R_m": R_m, "R_i": R_i, "C_m": C_m})


def with_a_list(p):
    return {"w": p["w"] * p["synapse"]["scale"]}


def chatty(p):
    print("computing")
    return constants(p)


def adds_metres_to_ohms(p):
    return {"wrong": p["d"] + p["R_m"]}


def exponential_of_metres(p):
    return {"wrong": u.math.exp(p["d"])}


def divides_by_zero(p):
    return {"wrong": p["d"] * (1 / len(""))}


def asks_for_what_is_not_there(p):
    return {"wrong": p["diameter"]}


def returns_text(p):
    return "a text"


a_number = 3.0
