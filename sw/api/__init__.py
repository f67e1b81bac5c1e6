"""The front door: what `import narrows` offers, and what the command line is a layer over."""
