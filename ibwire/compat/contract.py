"""Contracts and what is known of them."""

from ibwire.compat._enums import FundAssetType, FundDistributionPolicyIndicator
from ibwire.compat._objects import ComboLeg, Contract, ContractDescription, ContractDetails, DeltaNeutralContract
from ibwire.compat.const import UNSET_DECIMAL, UNSET_DOUBLE
from ibwire.compat.object_implem import Object
from ibwire.compat.utils import decimalMaxString, floatMaxString, intMaxString

# Whether a combo leg opens or closes: as the combo, open, close, unknown.
SAME_POS, OPEN_POS, CLOSE_POS, UNKNOWN_POS = range(4)

__all__ = [
    "CLOSE_POS",
    "OPEN_POS",
    "SAME_POS",
    "UNKNOWN_POS",
    "UNSET_DECIMAL",
    "UNSET_DOUBLE",
    "ComboLeg",
    "Contract",
    "ContractDescription",
    "ContractDetails",
    "DeltaNeutralContract",
    "FundAssetType",
    "FundDistributionPolicyIndicator",
    "Object",
    "decimalMaxString",
    "floatMaxString",
    "intMaxString",
]
