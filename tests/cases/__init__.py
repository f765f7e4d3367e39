"""One tiny real configuration of every model; the contract suites run on each of them.

``arguments`` hold a value other than the default for every argument of the constructor that is not a network or a dtype, so
that a round trip can be compared with what was passed.
"""

from cases import adversarial, conditional, likelihood, variational
from cases.case import Case

CASES: tuple[Case, ...] = (*variational.CASES, *adversarial.CASES, *likelihood.CASES, *conditional.CASES)
