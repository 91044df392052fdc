"""Facts over derived spaces: what makes their vectors is read back."""

from holocron_assets.derived_spaces import read_derivation
from holocron_assets.errors import TransformError
from holocron_assets.ports import Session
from holocron_assets.tables import spaces
from holocron_assets.verification.finding import Finding


def transforms_are_intact(session: Session) -> Finding:
    """Every derived space has its transform, which is what its hash says and makes this space and no other."""
    derived = [space for space in spaces.list_spaces(session) if space.transform_ref is not None]
    faults = []
    for space in derived:
        try:
            read_derivation(session, space)
        except TransformError as error:
            faults.append(str(error))
    return Finding(
        claim="transforms_are_intact",
        holds=not faults,
        explanation=f"{len(faults)} of {len(derived)} derived spaces can neither be filled nor searched. Restore their "
        "rows of vector.transform from a backup, or deactivate them and derive others."
        if faults
        else f"{len(derived)} derived spaces, each with its transform as its hash says.",
        figures={"derived_spaces": len(derived), "faults": len(faults)},
        offenders=faults,
    )
