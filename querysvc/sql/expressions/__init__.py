"""The analyser's expression half: typed expressions, or Trino's error with its position."""

from querysvc.sql.expressions.analyser import Analyser
from querysvc.sql.expressions.coercion import coerce, coerce_to, coerce_to_common
from querysvc.sql.expressions.printing import printed

__all__ = ["Analyser", "coerce", "coerce_to", "coerce_to_common", "printed"]
