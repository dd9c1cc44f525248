"""Nothing is generated twice: a file of tokens between driver and engine, and what tells one model from another.

May import forcing, driver and the contract: it knows neither texts nor lm_eval.
"""
