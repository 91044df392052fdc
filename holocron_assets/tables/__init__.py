"""The named queries as typed functions, one module per subject, one function per query.

A function has the name of its query, turns values into parameters and rows into records, and does nothing
else: what differs between databases is in the SQL, what is decided is in the stages.
"""
