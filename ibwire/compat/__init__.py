"""The official package's module and class names, on ibwire: change ``ibapi`` to ``ibwire.compat`` in the imports."""
