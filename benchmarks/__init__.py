"""What is fast, and how that is known: one script a question. They measure and print; they never
assert.
"""
