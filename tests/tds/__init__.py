"""A server that speaks TDS 7.4, as SQL Server does, so that the real ODBC drivers are tested without one.

What it is told is in Microsoft's specification MS-TDS. What it does not know it refuses with an error that names it;
of a login it passes over what it does not need.
"""
