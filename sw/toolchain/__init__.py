"""The open tools around a core: how they are started, synthesis, placement and routing."""
