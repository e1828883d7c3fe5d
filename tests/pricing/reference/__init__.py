"""A second calculation of what is paid, with fractions, to hold `aggregates.pricing` against.

It shares the shapes of the input (`rules`, `context`) and not one function. It is slow on purpose: every
rule stands here as it is worded, and nothing is prepared, indexed or remembered.
"""
