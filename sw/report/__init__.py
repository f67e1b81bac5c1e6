"""Reports: figures and pages from results."""
