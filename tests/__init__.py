"""The tests. A package, so that what they share is imported as `tests.needs`, whatever else is
called tests.
"""
