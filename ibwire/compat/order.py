"""Orders."""

from ibwire.compat._objects import Order, OrderComboLeg
from ibwire.compat.const import DOUBLE_INFINITY, UNSET_DECIMAL, UNSET_DOUBLE, UNSET_INTEGER
from ibwire.compat.object_implem import Object
from ibwire.compat.softdollartier import SoftDollarTier
from ibwire.compat.utils import decimalMaxString, floatMaxString, intMaxString, longMaxString

# Order.origin
CUSTOMER, FIRM, UNKNOWN = range(3)

# Order.auctionStrategy
AUCTION_UNSET, AUCTION_MATCH, AUCTION_IMPROVEMENT, AUCTION_TRANSPARENT = range(4)

COMPETE_AGAINST_BEST_OFFSET_UP_TO_MID = DOUBLE_INFINITY

__all__ = [
    "AUCTION_IMPROVEMENT",
    "AUCTION_MATCH",
    "AUCTION_TRANSPARENT",
    "AUCTION_UNSET",
    "COMPETE_AGAINST_BEST_OFFSET_UP_TO_MID",
    "CUSTOMER",
    "DOUBLE_INFINITY",
    "FIRM",
    "UNKNOWN",
    "UNSET_DECIMAL",
    "UNSET_DOUBLE",
    "UNSET_INTEGER",
    "Object",
    "Order",
    "OrderComboLeg",
    "SoftDollarTier",
    "decimalMaxString",
    "floatMaxString",
    "intMaxString",
    "longMaxString",
]
