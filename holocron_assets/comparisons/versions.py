"""The versions that figures may depend on, as reports name them."""

import numpy as np
import scipy

from holocron_assets import __version__

VERSIONS = {"holocron-assets": __version__, "numpy": np.__version__, "scipy": scipy.__version__}
