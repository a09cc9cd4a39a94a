"""LayerBench: what simple methods and our engines reach on it, and its scenes at a glance. See README.md."""
