"""What networks and cores cost: cycles, look-up tables, clocks and memories, measured by models of them."""
