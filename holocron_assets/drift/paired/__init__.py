"""The same texts embedded twice: by what one name meant then and means now, or in two spaces.

Here are raw numbers only, never a verdict. `measure` takes all of them. An unpaired statistic sees none of this: it is
the same for the vectors in any order.
"""
