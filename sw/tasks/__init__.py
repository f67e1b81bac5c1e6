"""Independent pieces of long work, spread over processes of this machine or over workers of a cluster."""

from __future__ import annotations

from .workers import HERE, Workers, in_order, open_workers

__all__ = ["HERE", "Workers", "in_order", "open_workers"]
