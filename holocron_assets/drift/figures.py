"""Numbers as people read them: as many digits as mean something, and a dash where there is none. Pure."""

import math

MISSING = "—"
#: Below it a p value says no more than that it is small.
_LEAST_P = 0.001
#: A number that is no farther from 1 is 1 but for rounding.
_LEAST_REST = 1e-9


def number(value: float | None, *, signed: bool = False, digits: int = 3) -> str:
    """A number to so many significant digits; whole ones to the last."""
    if value is None or not math.isfinite(value):
        return MISSING
    sign = "−" if value < 0 else "+" if signed and value > 0 else ""
    size = abs(value)
    if not size:
        return "0"
    exponent = math.floor(math.log10(size))
    if exponent >= 15 or exponent < -4:
        mantissa, power = f"{size:.{digits - 1}e}".split("e")
        return f"{sign}{mantissa} × 10^{int(power)}".replace("^-", "^−")
    decimals = max(digits - 1 - exponent, 0)
    if _LEAST_REST < abs(1 - size) < 0.1:
        # What matters of 0.99984 is how far it is from 1.
        decimals = max(decimals, digits - 2 - math.floor(math.log10(abs(1 - size))))
    shown = f"{size:,.{decimals}f}"
    return f"{sign}{shown.rstrip('0').rstrip('.') if '.' in shown else shown}"


def share(value: float | None, *, signed: bool = False) -> str:
    """A share of 1 in percent."""
    if value is None or not math.isfinite(value):
        return MISSING
    return f"{number(100 * value, signed=signed, digits=2)}\u00a0%"


def p_value(p: float | None) -> str:
    """How often chance gives as much; never 0, and no more digits than a permutation test has."""
    if p is None or not math.isfinite(p):
        return MISSING
    if p < _LEAST_P:
        return f"<\u00a0{_LEAST_P}"
    return f"{p:.2f}" if p >= 0.1 else f"{p:.3f}"
