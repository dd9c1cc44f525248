"""One room per engine: each turns requests into tokens and knows nothing of budgets.

May import forcing, driver, formats, memo, harness, and the library it drives; no engine imports another one.
"""
